"""Who is left without an offer, and which rule would have to go."""

from dataclasses import replace

from starlette.testclient import TestClient

from service.base.arbitration_options import ArbitrationOptions, Strategy
from service.offers.coverage import measure_coverage
from service.offers.decide import decide_many
from service.offers.gathering import gather
from service.offers.reasons import WithheldCode
from service.offers.request import OfferRequest
from service.readmodel.live_state import LiveState
from service.readmodel.objections import Objections
from tests.artifacts import ProductSpec, World, content_of
from tests.service.conftest import NOON
from tests.service.offers.test_arbitration import WORLD

SMALL = World(
    products=[ProductSpec("tea"), ProductSpec("cup"), ProductSpec("pot", is_active=False)],
    owned={"all": ["tea", "cup"], "none": [], "some": ["tea"], "objecting": ["tea"]},
    neighbours={"tea": {"cup": 0.5, "pot": 0.4}},
    popular=["tea", "cup", "pot"],
)
OPTIONS = ArbitrationOptions()


def test_accounts_without_offers_are_counted_with_the_rules_that_would_open_them() -> None:
    state = LiveState(content_of(SMALL), 0)
    state.part(Objections).accounts.add("objecting")

    coverage = measure_coverage(state, list(SMALL.owned), 2, OPTIONS, NOON)

    # "all" owns what is active, "objecting" gets nothing; "some" has one product left, "none" two.
    assert (coverage.n_accounts, coverage.without_offers, coverage.objecting, coverage.short) == (4, 2, 1, 3)
    # Without the rule on what is owned, or the one on what is inactive, "all" would have an offer.
    assert coverage.opened_by[WithheldCode.OWNED] == 1
    assert coverage.opened_by[WithheldCode.INACTIVE] == 1
    # What "objecting" owns two rules withhold; the cup its objection alone.
    assert coverage.opened_by[WithheldCode.OBJECTED] == 1


def test_the_counts_are_those_of_the_decisions_themselves() -> None:
    state = LiveState(content_of(WORLD), 0)
    accounts = [*WORLD.owned, "unknown"]

    coverage = measure_coverage(state, accounts, 9, OPTIONS, NOON)

    decisions = decide_many(gather(state, [OfferRequest(account_id, 9) for account_id in accounts], OPTIONS, now=NOON))
    assert coverage.n_accounts == len(accounts)
    assert coverage.short == sum(len(decision.offers) < 9 for decision in decisions)
    assert coverage.without_offers == sum(not decision.offers for decision in decisions)


def test_first_offers_that_value_decides_are_counted() -> None:
    content = content_of(WORLD)
    by_value = measure_coverage(LiveState(content, 0), list(WORLD.owned), 3, OPTIONS, NOON)
    by_chance = measure_coverage(
        LiveState(content, 0), list(WORLD.owned), 3, replace(OPTIONS, strategy=Strategy.PROPENSITY), NOON
    )

    assert by_value.ranked_by_value == by_chance.ranked_by_value == len(WORLD.owned)
    assert by_value.first_by_value > 0
    assert by_chance.first_by_value == 0


def test_coverage_over_http_names_its_sample_and_refuses_an_unknown_segment(client: TestClient, version: str) -> None:
    assert version

    body = client.get("/v1/offers/coverage?limit=5&sample=2").json()
    everybody = client.get("/v1/offers/coverage").json()
    unknown = client.get("/v1/offers/coverage?segment_id=rfm.nobody")

    assert (body["accounts"], body["sampled_accounts"], body["limit"]) == (4, 2, 5)
    assert everybody["sampled_accounts"] == 4
    assert everybody["without_offers"]["accounts"] == 0
    assert everybody["without_offers"]["n"] == 4
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown-segment")
