"""White space: every cell counted account by account, and reconciled to the orders."""

from dataclasses import replace

import numpy as np
import pytest

from models.artifact import CellTotals, GroupDemand, Groups, Holdings
from models.artifact.dimensions import ACCOUNTS, PRODUCTS
from models.artifact.segments import read_segment_report
from models.artifact.whitespace import count_cells
from models.customers.accounts import LearnedAccounts, learn_accounts
from models.customers.whitespace import count_all_cells
from tests.models.customers.held import (
    AS_OF_DAY,
    GROUPS,
    HISTORY,
    HOLDINGS,
    HORIZON_DAYS,
    IDS,
    LINES,
    NAMES,
    SHOP,
    day,
)
from tests.models.propensity.counted import Counted
from tests.models.propensity.samples import AS_OF


@pytest.fixture(scope="module")
def accounts() -> LearnedAccounts:
    return learn_accounts(HISTORY.interactions, HISTORY.products, HISTORY.accounts, AS_OF, None)[0]


def demand_of(holdings: Holdings) -> GroupDemand:
    """White space with random probabilities where nothing is owned."""
    rng = np.random.default_rng(1)
    likely = rng.uniform(0.001, 0.9, (len(IDS), len(NAMES))).astype(np.float16)
    likely[GROUPS.is_owned(slice(None))] = np.nan
    spend = rng.uniform(100, 900, (len(NAMES), 2)).astype(np.float32)
    factors = rng.uniform(0.5, 2, len(IDS)).astype(np.float32)
    return GroupDemand(
        GROUPS, holdings, likely, spend, factors, np.ones(len(GROUPS), dtype=np.bool_), AS_OF_DAY, HORIZON_DAYS
    )


DEMAND = demand_of(HOLDINGS)


def count_by_hand(members: set[int], group: int) -> dict[str, float]:
    """One cell, account by account."""
    owned = Counted(SHOP).owned
    firsts = [
        AS_OF_DAY - min(day(line) for line in lines if line.quantity > 0)
        for (row, group_of_lines), lines in LINES.items()
        if group_of_lines == group and row in members and any(line.quantity > 0 for line in lines)
    ]
    lines = [
        line
        for (row, group_of_lines), group_lines in LINES.items()
        if group_of_lines == group and row in members
        for line in group_lines
    ]
    owners = {
        row for row in members if any(SHOP.category(product_id) == NAMES[group] for product_id in owned[IDS[row]])
    }
    mean, spread = (float(value) for value in DEMAND.spend[group])
    likely = {row: (float(DEMAND.likely[row, group]), float(DEMAND.factors[row])) for row in members - owners}
    return {
        "owners": len(owners),
        "revenue_minor": sum(line.amount for line in lines if day(line) >= AS_OF_DAY - 365),
        "adopters": sum(0 < age <= HORIZON_DAYS for age in firsts),
        "adopters_before": sum(HORIZON_DAYS < age <= 2 * HORIZON_DAYS for age in firsts),
        "buyers": sum(p for p, _ in likely.values()),
        "expected_minor": sum(p * mean * factor for p, factor in likely.values()),
        "variance": sum(p * (mean**2 + spread**2) * f**2 - (p * mean * f) ** 2 for p, f in likely.values()),
    }


def test_the_cells_of_every_segment_are_counted_account_by_account(accounts: LearnedAccounts) -> None:
    cells = count_all_cells(DEMAND, accounts.segments)

    segment = 0
    for column, family in enumerate(read_segment_report(accounts.segments)["families"]):
        for code in range(len(family["segments"])):
            members = set(np.flatnonzero(accounts.segments.codes[:, column] == code).tolist())
            for group in range(len(NAMES)):
                for name, expected in count_by_hand(members, group).items():
                    counted = getattr(cells, name)[segment, group]
                    assert counted == pytest.approx(expected, rel=1e-4, abs=1e-6), (family["id"], code, group, name)
            segment += 1
    assert len(cells.owners) == segment


def test_a_family_s_segments_and_those_in_none_add_up_to_the_orders(accounts: LearnedAccounts) -> None:
    owned = Counted(SHOP).owned
    owners = [
        sum(any(SHOP.category(p) == name for p in product_ids) for product_ids in owned.values()) for name in NAMES
    ]
    recent = [line for line in SHOP.lines if line.account is not None and day(line) >= AS_OF_DAY - 365]
    revenue = [sum(line.amount for line in recent if SHOP.category(line.product) == name) for name in NAMES]

    for column, family in enumerate(read_segment_report(accounts.segments)["families"]):
        codes, n = accounts.segments.codes[:, column], len(family["segments"])
        everybody = count_cells(DEMAND, np.where(codes < 0, n, codes).astype(np.int16), n + 1)
        assert everybody.owners.sum(axis=0).tolist() == owners, family["id"]
        assert everybody.revenue_minor.sum(axis=0).tolist() == revenue, family["id"]
        nobody_s = count_cells(DEMAND, np.where(codes < 0, 0, -1).astype(np.int16), 1)
        segments = count_cells(DEMAND, codes, n)
        assert (segments.owners.sum(axis=0) + nobody_s.owners[0]).tolist() == owners
        assert (segments.revenue_minor.sum(axis=0) + nobody_s.revenue_minor[0]).tolist() == revenue


def test_batches_of_accounts_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = (np.arange(len(IDS)) % 4 - 1).astype(np.int16)
    whole = count_cells(DEMAND, codes, 3)

    monkeypatch.setattr("models.artifact.whitespace.ACCOUNTS_PER_BATCH", 7)

    for name, values in vars(count_cells(DEMAND, codes, 3)).items():
        assert values == pytest.approx(getattr(whole, name), rel=1e-5), name


def test_the_variance_is_that_of_what_is_spent_by_chance() -> None:
    """Whether each account buys is drawn, and what it then spends; the sum varies as the cell says."""
    rng = np.random.default_rng(2)
    codes = np.zeros(len(IDS), dtype=np.int16)
    cells = count_cells(DEMAND, codes, 1)
    p = np.nan_to_num(DEMAND.likely[:, 0].astype(np.float64))
    mean, spread = DEMAND.spend[0].astype(np.float64)

    buys = rng.random((20_000, len(IDS))) < p
    spent = (buys * rng.normal(mean, spread, buys.shape) * DEMAND.factors).sum(axis=1)

    assert cells.expected_minor[0, 0] == pytest.approx(spent.mean(), rel=4 * spent.std() / spent.mean() / 20_000**0.5)
    assert cells.variance[0, 0] == pytest.approx(spent.var(), rel=4 * (2 / 20_000) ** 0.5)


def test_where_nothing_was_learned_nothing_is_expected_and_owners_are_counted_all_the_same() -> None:
    unknown = np.full((len(IDS), len(NAMES)), np.nan, dtype=np.float16)
    spend = np.full((len(NAMES), 2), np.nan, dtype=np.float32)
    demand = replace(DEMAND, likely=unknown, spend=spend, factors=np.ones(len(IDS), dtype=np.float32), horizon_days=0.0)

    cells = count_cells(demand, np.zeros(len(IDS), dtype=np.int16), 1)

    assert cells.owners.sum() > 0
    for values in (cells.buyers, cells.expected_minor, cells.variance, cells.adopters):
        assert (values == 0).all()


def test_segments_of_a_catalogue_without_groups_have_no_cells(accounts: LearnedAccounts) -> None:
    none = Groups.empty({ACCOUNTS: len(IDS), PRODUCTS: len(SHOP.products)})
    empty = np.empty((len(IDS), 0), dtype=np.float16)
    demand = GroupDemand(
        none,
        Holdings.empty({ACCOUNTS: len(IDS)}),
        empty,
        np.empty((0, 2), np.float32),
        DEMAND.factors,
        np.empty(0, dtype=np.bool_),
        AS_OF_DAY,
        90.0,
    )

    cells = count_all_cells(demand, accounts.segments)

    assert isinstance(cells, CellTotals)
    assert cells.owners.shape == (len(read_segment_report(accounts.segments)["segments"]), 0)


def test_of_a_group_that_is_not_sold_any_more_nothing_is_expected() -> None:
    is_sold = np.arange(len(GROUPS)) != 1

    cells = count_cells(replace(DEMAND, is_sold=is_sold), np.zeros(len(IDS), dtype=np.int16), 1)
    before = count_cells(DEMAND, np.zeros(len(IDS), dtype=np.int16), 1)

    for name in ("buyers", "expected_minor", "variance"):
        assert getattr(cells, name)[0, 1] == 0 < getattr(before, name)[0, 1]
        assert getattr(cells, name)[0, is_sold] == pytest.approx(getattr(before, name)[0, is_sold])
    assert np.array_equal(cells.owners, before.owners)


@pytest.mark.parametrize("rows", [[], [3], [5, 0, 2]])
def test_some_accounts_alone_are_counted_as_among_all(rows: list[int]) -> None:
    codes = np.full(len(IDS), -1, dtype=np.int16)
    codes[rows] = 0

    alone = count_cells(DEMAND.among(np.array(rows, dtype=np.int32)), np.zeros(len(rows), dtype=np.int16), 1)

    among_all = count_cells(DEMAND, codes, 1)
    for name in CellTotals.__dataclass_fields__:
        assert getattr(alone, name) == pytest.approx(getattr(among_all, name)), name
