"""What is held in memory is what the database says: section by section, and with a kind of change that is new."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from sqlalchemy import Connection, Engine, select, update
from starlette.testclient import TestClient

from service.accounts.tables import Account
from service.base.logging import Logs
from service.base.telemetry import Telemetry
from service.offers.smoke import smoke_test
from service.readmodel.account_cache import AccountCache
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.deals import Declines, OpenDeals
from service.readmodel.facts_by_account import FactsByAccount
from service.readmodel.live_state import LiveState
from service.readmodel.objections import Objections
from service.readmodel.ownership import Ownership
from service.readmodel.product_index import ProductRow
from service.readmodel.segment_membership import SegmentMembership
from service.server.live_sections import LIVE_SECTIONS
from service.storage.changes import ChangeKind, ChangeLog
from service.sync.artifact_holder import ArtifactHolder
from service.sync.artifact_store import ArtifactStore
from service.sync.follower import ChangeFollower
from service.sync.sections import ChangeSet, LiveSection, LiveSections
from tests.artifacts import World, content_of, write_world
from tests.service.conftest import NOON, part_of
from tests.sold import sold_content, sold_world

# --- a kind of change that is new: its section, and the line that composes it -----------------------------------------

NAMES_CHANGED: Final = ChangeKind("names")


class AccountNames(FactsByAccount[str]):
    """The name of every account that has one."""


def read_names(state: LiveState, connection: Connection, changes: ChangeSet) -> None:
    """Read the names of the accounts that changed, or of all."""
    account_ids = changes.ids(NAMES_CHANGED)
    query = select(Account.account_id, Account.name).where(Account.name.is_not(None))
    rows = connection.execute(query.where(Account.account_id.in_(account_ids)) if account_ids else query)
    state.part(AccountNames).replace(account_ids, {account_id: name for account_id, name in rows if name})


NAMES: Final = LiveSection("names", frozenset({NAMES_CHANGED}), load=read_names, refresh=read_names)
SECTIONS: Final = (*LIVE_SECTIONS, NAMES)


def rename(engine: Engine, account_id: str, name: str) -> int:
    """Store a name with its change, and return the sequence number."""
    with engine.begin() as connection:
        connection.execute(update(Account).where(Account.account_id == account_id).values(name=name))
        changes = ChangeLog()
        changes.touch(NAMES_CHANGED, [account_id])
        return changes.write(connection, NOON)


def make_follower(engine: Engine, sections: tuple[LiveSection, ...]) -> ChangeFollower:
    """A follower that nothing runs by itself."""
    return ChangeFollower(engine, LiveSections(sections), 30, Telemetry(), Logs("error").log)


def follow(follower: ChangeFollower, world: World) -> LiveState:
    """Open a state and follow it."""
    state = follower.open(content_of(world), 0, None)
    with follower.admit(state):
        pass
    return state


def test_a_new_kind_of_change_takes_a_section_and_its_place_in_the_list(engine: Engine, world: World) -> None:
    with engine.begin() as connection:
        for account_id in ("ann", "bob"):
            row: dict[str, Any] = {"account_id": account_id, "attributes": {}, "is_stub": True, "updated_at": NOON}
            connection.execute(Account.__table__.insert(), row)  # type: ignore[attr-defined]
    rename(engine, "ann", "Ann")
    follower, without = make_follower(engine, SECTIONS), make_follower(engine, LIVE_SECTIONS)
    state, other = follow(follower, world), follow(without, world)
    at_start = dict(state.part(AccountNames).by_account)

    sequence = rename(engine, "bob", "Bob")
    follower.catch_up()
    without.catch_up()

    assert at_start == {"ann": "Ann"}
    assert state.part(AccountNames).by_account == {"ann": "Ann", "bob": "Bob"}
    assert (state.sequence, other.sequence) == (sequence, sequence)
    assert other.part(AccountNames).by_account == {}


def test_a_state_that_no_answer_rests_on_is_dropped_when_it_fails_and_the_others_go_on(
    engine: Engine, world: World
) -> None:
    failing: list[LiveState] = []

    def refresh(state: LiveState, connection: Connection, changes: ChangeSet) -> None:
        if state in failing:
            raise IndexError("broken")
        read_names(state, connection, changes)

    section = LiveSection("names", frozenset({NAMES_CHANGED}), load=read_names, refresh=refresh)
    with engine.begin() as connection:
        row: dict[str, Any] = {"account_id": "ann", "attributes": {}, "is_stub": True, "updated_at": NOON}
        connection.execute(Account.__table__.insert(), row)  # type: ignore[attr-defined]
    follower = make_follower(engine, (*LIVE_SECTIONS, section))
    shadow = follower.open(content_of(world), 0, None)
    with follower.admit(shadow, is_essential=False):
        failing.append(shadow)
    state = follow(follower, world)

    for name in ("Ann", "Anna"):
        rename(engine, "ann", name)
        follower.catch_up()

    assert state.part(AccountNames).by_account == {"ann": "Anna"}
    assert follower.is_database_up
    failing.append(state)
    rename(engine, "ann", "Anne")
    with pytest.raises(IndexError):
        follower.catch_up()


@pytest.mark.parametrize("order", [("segments", "ownership"), ("ownership", "ownership")])
def test_a_section_before_one_that_it_reads_or_named_as_another_is_refused(order: tuple[str, str]) -> None:
    by_name = {section.name: section for section in LIVE_SECTIONS}

    with pytest.raises(ValueError, match=r"must come after ownership|two live sections"):
        LiveSections([by_name[name] for name in order])


def test_a_state_without_sections_is_as_the_artifact_says(world: World) -> None:
    state = LiveState(content_of(world), 3)

    assert state.part(Ownership).by_account == {}
    assert state.part(OpenDeals).by_account == {}
    assert state.part(CatalogueView) is state.part(CatalogueView)
    assert state.part(SegmentMembership).segments() == []
    assert state.sequence == 3


# --- every section, after random changes ------------------------------------------------------------------------------

ACCOUNTS: Final = ("a0", "a1", "a2", "a3", "a51", "new-1", "new-2")
PRODUCTS: Final = ("beans", "grinder", "kettle", "milk", "mug", "unheard-of")
RULES: Final = (
    {"attribute": "sector", "op": "eq", "value": "public"},
    {"owns": {"products": ["kettle"]}},
    {
        "any": [
            {"field": "is_strategic", "op": "eq", "value": True},
            {"field": "revenue_tier", "op": "eq", "value": "A"},
        ]
    },
)


@pytest.fixture
def version(artifacts_dir: Path) -> str:
    """An artifact of accounts with a history, trained before the first change of the database."""
    written = write_world(artifacts_dir, sold_world(), content=sold_content(), sequence=0)
    ArtifactStore(artifacts_dir, smoke_test).activate(written)
    return written


class RandomChanges:
    """Changes of every kind over HTTP, at random."""

    def __init__(self, client: TestClient, seed: int) -> None:
        self._client = client
        self._rng = np.random.default_rng(seed)

    def make(self) -> None:
        """Make one change."""
        kinds = (
            self._order,
            self._deal,
            self._account,
            self._consent,
            self._product,
            self._relationship,
            self._segment,
        )
        answer = kinds[self._rng.integers(len(kinds))]()
        assert answer.status_code in (200, 201, 204, 404, 409), answer.text

    def _pick(self, options: tuple[Any, ...]) -> Any:
        return options[self._rng.integers(len(options))]

    def _order(self) -> Any:
        lines = [{"product_id": self._pick(PRODUCTS), "quantity": self._pick((1, 1, 2, -1))}]
        fields = {
            "account_id": self._pick(ACCOUNTS),
            "ordered_at": "2024-03-01",
            "status": self._pick(("placed", "cancelled")),
        }
        return self._client.post(
            "/v1/orders", json=[{"order_id": f"o-{self._rng.integers(9)}", "lines": lines, **fields}]
        )

    def _deal(self) -> Any:
        lines = [{"product_id": self._pick(PRODUCTS), "value": 5} for _ in range(self._rng.integers(3))]
        fields = {"account_id": self._pick((*ACCOUNTS, None)), "lines": lines}
        stage = self._pick(("Demo", "Won", "Lost"))
        closed = {} if stage == "Demo" else {"closed_at": f"2024-02-0{self._rng.integers(1, 9)}"}
        return self._client.post(
            "/v1/deals", json=[{"deal_id": f"d-{self._rng.integers(9)}", "stage": stage, **fields, **closed}]
        )

    def _account(self) -> Any:
        attributes = {"sector": self._pick(("public", "private"))}
        fields = {"attributes": attributes, "is_strategic": bool(self._rng.integers(2)), "name": self._pick(("A", "B"))}
        return self._client.post("/v1/accounts", json=[{"account_id": self._pick(ACCOUNTS), **fields}])

    def _consent(self) -> Any:
        body = {"marketing": self._pick(("granted", "objected"))}
        return self._client.put(f"/v1/accounts/{self._pick(ACCOUNTS)}/consent", json=body)

    def _product(self) -> Any:
        fields = {"name": self._pick(("One", "Two")), "active": bool(self._rng.integers(2)), "family": "all"}
        body = [{"product_id": self._pick(PRODUCTS), "tier": int(self._rng.integers(3)), **fields}]
        return self._client.post("/v1/products", json=body)

    def _relationship(self) -> Any:
        pair = {"source_product_id": self._pick(PRODUCTS), "target_product_id": self._pick(PRODUCTS)}
        relation, status = self._pick(("cross_sell", "substitute")), self._pick(("added", "banned", "mined"))
        return self._client.post(
            "/v1/relationships", json=[{**pair, "relation": relation, "status": status, "note": "x"}]
        )

    def _segment(self) -> Any:
        slug, body = self._pick(("one", "two")), {"name": "Any", "rule": self._pick(RULES)}
        match self._pick(("create", "replace", "delete")):
            case "create":
                return self._client.post("/v1/segments", json={**body, "slug": slug})
            case "replace":
                return self._client.put(f"/v1/segments/custom.{slug}", json=body)
        return self._client.delete(f"/v1/segments/custom.{slug}")


@pytest.mark.parametrize("seed", range(3))
def test_applied_one_by_one_changes_leave_what_a_state_from_scratch_holds(
    client: TestClient, engine: Engine, seed: int
) -> None:
    client.post("/v1/accounts", json=[{"account_id": "a0", "attributes": {"sector": "public"}}])  # rules ask for it
    changes = RandomChanges(client, seed)
    for account_id in ACCOUNTS:
        client.get(f"/v1/accounts/{account_id}")
    current = part_of(client, ArtifactHolder).current
    assert current is not None
    live = current.state
    follower = make_follower(engine, LIVE_SECTIONS)

    for _ in range(4):
        for _ in range(12):
            changes.make()
        scratch = follower.open(sold_content(), 0, None)

        assert live.sequence == scratch.sequence
        assert_same_facts(live, scratch)
        assert_same_catalogue(live, scratch)
        assert_same_segments(live.part(SegmentMembership), scratch.part(SegmentMembership))
        assert_cached_records_are_current(client, live)


def assert_same_facts(live: LiveState, scratch: LiveState) -> None:
    """Compare what is held by account."""
    assert live.part(OpenDeals).by_account == scratch.part(OpenDeals).by_account
    assert live.part(Declines).by_account == scratch.part(Declines).by_account
    assert live.part(Objections).accounts == scratch.part(Objections).accounts
    owned, expected = (
        {
            key: (account.owned.tolist(), account.last_days.tolist(), account.recent.tolist(), account.others)
            for key, account in state.part(Ownership).by_account.items()
        }
        for state in (live, scratch)
    )
    assert owned == expected


def assert_same_catalogue(live: LiveState, scratch: LiveState) -> None:
    """Compare products and relationships."""
    view, expected = live.part(CatalogueView), scratch.part(CatalogueView)
    rows = range(len(live.content.products.ids))
    assert [view.products.info(ProductRow(row)) for row in rows] == [
        expected.products.info(ProductRow(row)) for row in rows
    ]
    assert view.products.is_active.tolist() == expected.products.is_active.tolist()
    assert [view.relationships.standing(row) for row in rows] == [expected.relationships.standing(row) for row in rows]


def assert_same_segments(live: SegmentMembership, scratch: SegmentMembership) -> None:
    """Compare who is strategic, and who is in which segment."""
    assert live.strategic == scratch.strategic
    assert live.newcomers == scratch.newcomers
    by_id, expected = ({members.definition.id: members for members in state.segments()} for state in (live, scratch))
    assert by_id.keys() == expected.keys()
    for segment_id, members in expected.items():
        assert by_id[segment_id].definition == members.definition
        assert by_id[segment_id].ranks.tolist() == members.ranks.tolist()
        assert by_id[segment_id].newcomers == members.newcomers
        assert by_id[segment_id].sums.figures == pytest.approx(members.sums.figures)
        for interval, series in members.series.items():
            assert by_id[segment_id].series[interval].tolist() == series.tolist()


def assert_cached_records_are_current(client: TestClient, live: LiveState) -> None:
    """Compare cached account records with what is read anew."""
    cached = [record_of(client, account_id) for account_id in ACCOUNTS]
    live.part(AccountCache).forget_all()
    assert [record_of(client, account_id) for account_id in ACCOUNTS] == cached


def record_of(client: TestClient, account_id: str) -> dict[str, Any]:
    """What is answered of an account, but for what names the request."""
    answer: dict[str, Any] = client.get(f"/v1/accounts/{account_id}").json()
    return {name: value for name, value in answer.items() if name not in ("request_id", "instance")}
