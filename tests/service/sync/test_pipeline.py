"""Open deals are in memory everywhere: here at once, elsewhere within a second, after a restart too."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from starlette.testclient import TestClient

from service.imports.importer import import_file
from service.readmodel.deals import OpenDeal, OpenDealLine, OpenDeals
from service.sync.artifact_holder import ArtifactHolder
from tests.service.conftest import part_of, wait_until
from tests.service.sync.conftest import URL, is_current, offered

Another = Callable[[], Any]
Pipeline = dict[str, tuple[OpenDeal, ...]]


def deal(deal_id: str, account_id: str | None, product_id: str, stage: str = "Demo", **fields: Any) -> dict[str, Any]:
    """One deal as it is posted."""
    return {"deal_id": deal_id, "account_id": account_id, "product_id": product_id, "stage": stage, **fields}


def post(client: TestClient, *deals: dict[str, Any]) -> int:
    """Post deals, and return the sequence number from which they take effect."""
    answer = client.post("/v1/deals", json=list(deals))
    assert answer.json()["rejected"] == 0, answer.text
    return int(answer.headers["X-Sequence"])


def pipeline(client: TestClient) -> Pipeline:
    """What an application holds in memory."""
    live = part_of(client, ArtifactHolder).current
    assert live is not None
    return live.state.part(OpenDeals).by_account


def ids(client: TestClient) -> dict[str, list[str]]:
    """The identifiers of all open deals that an application knows, by account."""
    return {account_id: [open_deal.deal_id for open_deal in deals] for account_id, deals in pipeline(client).items()}


def test_an_open_deal_is_in_the_pipeline_as_it_is_stored(client: TestClient) -> None:
    given = {"value": "99.90", "currency": "EUR", "opened_at": "2024-02-01", "expected_close": "2024-04-01"}

    post(client, deal("d-1", "ann", "filter", **given), deal("d-2", None, "filter"))

    opened_at, expected_close = datetime(2024, 2, 1, tzinfo=UTC), date(2024, 4, 1)
    lines = (OpenDealLine("filter", 1.0, 9990),)
    expected = OpenDeal("d-1", "Demo", 9990, "EUR", opened_at, expected_close, lines)
    assert pipeline(client) == {"ann": (expected,)}


def test_a_deal_that_is_won_leaves_the_pipeline_and_is_owned_from_the_next_answer_on(client: TestClient) -> None:
    post(client, deal("d-1", "ann", "filter"), deal("d-2", "bob", "scale"))
    before = offered(client, "ann")

    post(client, deal("d-1", "ann", "filter", "Won", closed_at="2024-03-01"))

    assert "filter" not in before, "it is being negotiated"
    assert "filter" not in offered(client, "ann")
    assert ids(client) == {"bob": ["d-2"]}


def test_a_deal_that_is_lost_after_all_is_not_offered_again_so_soon(client: TestClient) -> None:
    post(client, deal("d-1", "ann", "filter", "Won", closed_at="2024-03-01"))
    won = offered(client, "ann")

    post(client, deal("d-1", "ann", "filter", "Lost"))

    assert "filter" not in won
    assert "filter" not in offered(client, "ann")
    assert ids(client) == {}


def test_a_deal_that_moves_to_another_account_is_in_one_pipeline_only(client: TestClient) -> None:
    post(client, deal("d-1", "ann", "filter"), deal("d-2", "ann", "scale"))

    post(client, deal("d-1", "bob", "filter"))

    assert ids(client) == {"ann": ["d-2"], "bob": ["d-1"]}


def test_another_application_follows_the_change_and_a_new_one_starts_with_it(
    client: TestClient, another: Another
) -> None:
    post(client, deal("d-1", "ann", "filter"))
    with another() as other:
        at_start = ids(other)
        sequence = post(client, deal("d-1", "ann", "filter", "Lost"), deal("d-2", "bob", "kettle"))
        wait_until(lambda: other.get(f"{URL}/ann").json()["sequence"] == sequence)
        later = ids(other)
    with another() as restarted:
        after = ids(restarted)

    assert at_start == {"ann": ["d-1"]}
    assert later == after == {"bob": ["d-2"]}


def test_a_request_that_names_the_write_sees_it_elsewhere(client: TestClient, another: Another) -> None:
    with another() as other:
        sequence = post(client, deal("d-1", "ann", "filter", "Won", closed_at="2024-03-01"), deal("d-2", "ann", "mug"))

        answer = other.get(f"{URL}/ann?limit=20", headers={"X-Min-Sequence": str(sequence)})

        assert answer.json()["sequence"] >= sequence
        assert "filter" not in [offer["product_id"] for offer in answer.json()["offers"]]
        assert ids(other) == {"ann": ["d-2"]}


def test_a_running_application_follows_an_imported_file(client: TestClient, engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text("deal_id,account_id,product_id,stage,closed_at\n1,ann,filter,Won,2024-03-01\n2,bob,scale,Demo,\n")

    import_file(engine, "deals", [path])

    wait_until(lambda: is_current(client, engine))
    assert "filter" not in offered(client, "ann")
    assert ids(client) == {"bob": ["2"]}


def test_closed_deals_and_those_of_nobody_are_not_in_the_pipeline(client: TestClient) -> None:
    post(client, deal("d-1", "ann", "filter", "Lost"), deal("d-2", None, "filter"))

    assert ids(client) == {}
