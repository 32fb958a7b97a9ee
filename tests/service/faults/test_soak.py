"""Ten minutes, or some seconds of them, of everything at once: no failed answer, and memory stays flat."""

import json
import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.client import HTTPConnection
from itertools import count
from pathlib import Path

import pytest

from service.offers.smoke import smoke_test
from service.sync.artifact_store import ArtifactStore
from tests.artifacts import coffee_world, write_world
from tests.service.conftest import make_key
from tests.service.processes import Server, serving

SECONDS = float(os.environ.get("NEXTOFFER_SOAK_SECONDS", "6"))
REST_SECONDS = 0.002
"""Between two calls of a client: two clients then keep one worker at about 70 % of what it can do."""
MAX_GROWTH = 1.10
ACCOUNTS = ("ann", "bob", "cid", "dee", "nobody")


def resident_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


class Caller(threading.Thread):
    """One client on one connection, until it is stopped."""

    def __init__(self, server: Server, key: str, request_of: Callable[[int], tuple[str, str, object]]) -> None:
        super().__init__()
        self.statuses: Counter[int | str] = Counter()
        self.is_over = threading.Event()
        self._connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
        self._headers = {"X-API-Key": key, "Content-Type": "application/json"}
        self._request_of = request_of

    def run(self) -> None:
        for number in count():
            if self.is_over.is_set():
                break
            method, path, body = self._request_of(number)
            try:
                self._connection.request(method, path, json.dumps(body) if body is not None else None, self._headers)
                answer = self._connection.getresponse()
                answer.read()
                self.statuses[answer.status] += 1
            except OSError as error:
                self.statuses[type(error).__name__] += 1
            time.sleep(REST_SECONDS)
        self._connection.close()


def ask_for_account(number: int) -> tuple[str, str, object]:
    return "GET", f"/v1/recommendations/{ACCOUNTS[number % len(ACCOUNTS)]}", None


def ask_for_basket(number: int) -> tuple[str, str, object]:
    return "POST", "/v1/recommendations", {"basket": ["beans", "kettle"][: number % 3], "limit": 5}


def write_order(number: int) -> tuple[str, str, object]:
    line = {"product_id": ("filter", "milk", "scale")[number % 3], "quantity": 1 if number % 2 else -1}
    order = {"order_id": f"o-{number % 50}", "account_id": ACCOUNTS[number % 5], "ordered_at": 1709200000 + number}
    return "POST", "/v1/orders", [order | {"lines": [line]}]


@pytest.mark.slow
def test_under_lasting_load_memory_is_flat_and_no_answer_fails(migrated_sqlite: Path, tmp_path: Path) -> None:
    shutil.copy(migrated_sqlite, tmp_path / "nextoffer.db")
    store = ArtifactStore(tmp_path / "artifacts", smoke_test)
    versions = [write_world(store.root, coffee_world(), as_of=f"2024-02-{day}T00:00:00Z") for day in (27, 28)]
    store.activate(versions[0])
    url = f"sqlite:///{tmp_path / 'nextoffer.db'}"
    key = make_key(url, "admin")
    memory: list[float] = []

    with serving(url, store.root) as server:
        callers = [Caller(server, key, request) for request in (ask_for_account, ask_for_basket, write_order)]
        for caller in callers:
            caller.start()
        begun = time.monotonic()
        for number in count():
            if time.monotonic() > begun + SECONDS:
                break
            time.sleep(SECONDS / 30)
            memory.append(resident_mib(server.pid))
            if number % 5 == 4:
                store.activate(versions[number // 5 % 2])
        for caller in callers:
            caller.is_over.set()
        for caller in callers:
            caller.join()
        log = server.log()

    assert [set(caller.statuses) for caller in callers] == [{200}] * len(callers), [c.statuses for c in callers]
    assert "Traceback" not in log
    third = len(memory) // 3
    assert max(memory[-third:]) <= MAX_GROWTH * max(memory[third : 2 * third]), memory
