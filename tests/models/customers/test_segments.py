"""Segments: every figure against one that is counted by hand, account by account."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.artifact import Artifact, Products, Segments
from models.artifact.activity import Activity
from models.artifact.customers import NOT_SEGMENTED
from models.artifact.dimensions import ACCOUNTS
from models.artifact.files import open_artifact
from models.artifact.segments import COUNTS, INTERVALS, read_segment_report
from models.artifact.series import Calendar, interval_starts
from models.customers.accounts import LearnedAccounts, learn_accounts
from models.customers.activity import activity_of
from models.data.accounts import AccountFacts
from models.data.interactions import GUEST, Interactions
from tests.artifacts import coffee_world, content_of, write_world

DAY = 86_400
N_ACCOUNTS, N_PRODUCTS, AS_OF_DAY = 60, 10, 900


@pytest.fixture(scope="module")
def products() -> Products:
    """The coffee shop's, in two lines; one has no line. Half of the margins are known."""
    content = content_of(coffee_world())
    lines = type(content.products.names).from_texts(
        ["hot", "cold", "hot", "cold", "", "hot", "cold", "hot", "cold", "hot"]
    )
    margins = np.where(np.arange(N_PRODUCTS) % 2 == 0, 7, content.products.margins_minor)
    return replace(content.products, lines=lines, margins_minor=margins)


def interactions_until(as_of_day: int) -> Interactions:
    """Random lines of sixty accounts and of guests; some are returns, some orders have several lines."""
    rng = np.random.default_rng(3)
    n = 1500
    order = np.sort(rng.integers(0, 900, n))
    account_of = rng.integers(-1, N_ACCOUNTS - 2, 900)
    time_of = rng.integers(100 * DAY, AS_OF_DAY * DAY, 900)
    keep = time_of[order] < as_of_day * DAY
    content = content_of(replace(coffee_world(), owned={f"a{number}": ["beans"] for number in range(N_ACCOUNTS)}))
    made = Interactions(
        account=account_of[order].astype(np.int32),
        product=rng.integers(0, N_PRODUCTS, n).astype(np.int32),
        order=order.astype(np.int32),
        time=time_of[order].astype(np.int64),
        quantity=rng.choice([1.0, 2.0, -1.0], n, p=[0.7, 0.2, 0.1]).astype(np.float32),
        amount_minor=rng.integers(-200, 2_000, n).astype(np.int64),
        account_ids=np.array(list(content.account_ids.texts), dtype=object),
        product_ids=np.array([f"p{number}" for number in range(N_PRODUCTS)], dtype=object),
        order_count=900,
    )
    return made.select(keep)


def learn(as_of_day: int, products: Products, before: Artifact | None = None) -> LearnedAccounts:
    facts = AccountFacts(np.arange(N_ACCOUNTS) % 9 == 0, {})
    return learn_accounts(interactions_until(as_of_day), products, facts, as_of_day * DAY, before)[0]


@pytest.fixture(scope="module")
def learned(products: Products) -> LearnedAccounts:
    return learn(AS_OF_DAY, products)


def rows_in(segments: Segments, family: str, code: int) -> set[int]:
    column = [entry["id"] for entry in read_segment_report(segments)["families"]].index(family)
    return set(np.flatnonzero(segments.codes[:, column] == code).tolist())


def test_days_of_activity_are_sums_of_lines(products: Products) -> None:
    lines = interactions_until(AS_OF_DAY)

    activity = activity_of(lines, products.margins_minor)

    expected: dict[tuple[int, int], list[Any]] = {}
    for account, order, time, quantity, amount, product in zip(
        lines.account, lines.order, lines.time, lines.quantity, lines.amount_minor, lines.product, strict=True
    ):
        if account != GUEST:
            entry = expected.setdefault((int(account), int(time) // DAY), [set(), 0, 0])
            entry[0] |= {int(order)} if quantity > 0 else set()
            entry[1] += int(amount)
            entry[2] += round(7 * float(quantity)) if product % 2 == 0 else 0
    counted = zip(
        activity.owner().tolist(), activity.day.tolist(), activity.orders.tolist(), activity.spend_minor.tolist(),
        activity.margin_minor.tolist(), strict=True,
    )  # fmt: skip
    assert {(a, d): (n, spend, margin) for a, d, n, spend, margin in counted} == {
        key: (len(orders), spend, margin) for key, (orders, spend, margin) in expected.items()
    }


@pytest.mark.parametrize(("family", "code"), [("rfm", 0), ("rfm", 9), ("revenue-tier", 1), ("strategic", 0)])
def test_a_segment_s_figures_are_counted_over_its_accounts(learned: LearnedAccounts, family: str, code: int) -> None:
    rows = rows_in(learned.segments, family, code)
    report = read_segment_report(learned.segments)
    (family_report,) = [entry for entry in report["families"] if entry["id"] == family]

    measured = report["segments"][family_report["segments"][code]["id"]]

    owner, activity = learned.activity.owner(), learned.activity
    window = [i for i in range(len(owner)) if owner[i] in rows and activity.day[i] >= AS_OF_DAY - 365]
    buying = [(int(owner[i]), AS_OF_DAY - int(activity.day[i])) for i in range(len(owner)) if activity.orders[i]]
    bought = {low: {account for account, ago in buying if low < ago <= low + 90} for low in (0, 90)}
    assert rows
    assert measured["size"] == len(rows)
    assert measured["revenue_minor"] == sum(int(activity.spend_minor[i]) for i in window)
    assert measured["margin_minor"] == sum(int(activity.margin_minor[i]) for i in window)
    assert measured["orders"] == sum(int(activity.orders[i]) for i in window)
    assert measured["retention"]["n"] == len(bought[90] & rows)
    if measured["retention"]["n"]:
        share = len(bought[90] & bought[0] & rows) / len(bought[90] & rows)
        assert measured["retention"]["value"] == pytest.approx(share, abs=1e-6)
    churn_risks = [
        1 - float(learned.customers.is_alive[row]) for row in rows if np.isfinite(learned.customers.is_alive[row])
    ]
    assert measured["churn_risk"]["value"] == pytest.approx(sum(churn_risks) / len(churn_risks), abs=1e-6)
    owned = learned.lines.is_owned(np.array(sorted(rows)))
    assert [line["accounts"] for line in measured["penetration"]] == owned.sum(axis=0).tolist()


def test_families_that_place_everyone_add_up_to_the_whole(learned: LearnedAccounts) -> None:
    report = read_segment_report(learned.segments)
    whole = report["segments"]["all.accounts"]

    for family in ("rfm", "revenue-tier"):
        ids = [segment["id"] for entry in report["families"] if entry["id"] == family for segment in entry["segments"]]
        for name in ("revenue_minor", "orders", "margin_minor", "active_accounts"):
            assert sum(report["segments"][segment_id][name] for segment_id in ids) == whole[name], (family, name)


def test_members_are_listed_by_value(learned: LearnedAccounts) -> None:
    report, segments = read_segment_report(learned.segments), learned.segments
    for column, family in enumerate(report["families"]):
        for code in range(len(family["segments"])):
            rows = segments.members_of(column, code)
            assert set(rows.tolist()) == rows_in(segments, family["id"], code)
            ahead = np.nan_to_num(learned.customers.value[rows, 0], nan=-1)
            assert (np.diff(ahead) <= 0).all()


@pytest.mark.parametrize("interval", INTERVALS)
def test_periods_are_the_calendar_s(interval: str) -> None:
    first, as_of = (date(2023, 2, 14).toordinal(), date(2024, 3, 1).toordinal())
    epoch = date(1970, 1, 1).toordinal()

    starts = interval_starts(first - epoch, as_of - epoch, interval)

    begins: dict[str, Callable[[date], date]] = {
        "week": lambda day: date.fromordinal(day.toordinal() - day.weekday()),
        "month": lambda day: day.replace(day=1),
        "quarter": lambda day: date(day.year, (day.month - 1) // 3 * 3 + 1, 1),
        "year": lambda day: date(day.year, 1, 1),
    }
    days = sorted({begins[interval](date.fromordinal(day)) for day in range(first, as_of)})
    assert [date.fromordinal(int(day) + epoch) for day in starts] == days


def test_a_series_counts_each_period(learned: LearnedAccounts) -> None:
    codes = (np.arange(N_ACCOUNTS) % 3 - 1).astype(np.int16)
    starts = interval_starts(int(learned.activity.day.min()), AS_OF_DAY, "month")

    series = Calendar(learned.activity, {"month": starts}).count(codes, 2)["month"]

    owner, activity = learned.activity.owner(), learned.activity
    ends = [*starts.tolist()[1:], AS_OF_DAY]
    for code in (0, 1):
        before: set[int] = set()
        for period, (begin, end) in enumerate(zip(starts.tolist(), ends, strict=True)):
            inside = [i for i in range(len(owner)) if begin <= activity.day[i] < end and codes[owner[i]] == code]
            active = {int(owner[i]) for i in inside if activity.orders[i] > 0}
            assert dict(zip(COUNTS, series[code, period].tolist(), strict=True)) == {
                "active_accounts": len(active),
                "orders": sum(int(activity.orders[i]) for i in inside),
                "revenue_minor": sum(int(activity.spend_minor[i]) for i in inside),
                "margin_minor": sum(int(activity.margin_minor[i]) for i in inside),
                "retained_accounts": len(active & before),
                "unconverted_orders": 0,
            }
            before = active


def as_artifact(folder: Path, accounts: LearnedAccounts) -> Artifact:
    """An artifact that holds what was learned of accounts."""
    world = replace(coffee_world(), owned={f"a{number}": ["beans"] for number in range(N_ACCOUNTS)})
    artifact = open_artifact(folder / write_world(folder, world))
    return replace(artifact, content=replace(artifact.content, **vars(accounts)))


def test_a_later_training_goes_on_with_the_history(products: Products, tmp_path: Path) -> None:
    first = learn(800, products)
    before = as_artifact(tmp_path, first)

    second = learn(AS_OF_DAY, products, before)

    report, earlier = read_segment_report(second.segments), read_segment_report(first.segments)
    assert [snapshot["as_of_day"] for snapshot in report["snapshots"]] == [800]
    assert report["snapshots"][0]["segments"]["rfm.lost"]["size"] == earlier["segments"]["rfm.lost"]["size"]
    assert report["moves"]["since_day"] == 800
    for column, family in enumerate(report["families"]):
        if family["id"] in ("all", "cluster"):
            continue
        ids = [None, *(segment["id"] for segment in family["segments"])]
        moved: dict[tuple[Any, Any], int] = {}
        for row in range(N_ACCOUNTS):
            pair = (ids[first.segments.codes[row, column] + 1], ids[second.segments.codes[row, column] + 1])
            moved[pair] = moved.get(pair, 0) + 1
            stayed = first.segments.codes[row, column] == second.segments.codes[row, column]
            assert second.segments.since[row, column] == (800 if stayed else AS_OF_DAY)
        moved.pop((None, None), None)
        reported = {
            (move["from"], move["to"]): move["accounts"] for move in report["moves"]["families"].get(family["id"], [])
        }
        assert reported == moved, family["id"]


def test_training_again_on_the_same_day_changes_nothing(products: Products, tmp_path: Path) -> None:
    earlier = as_artifact(tmp_path, learn(800, products))
    once = as_artifact(tmp_path, learn(AS_OF_DAY, products, earlier))

    again = learn(AS_OF_DAY, products, once)

    assert read_segment_report(again.segments) == read_segment_report(once.content.segments)
    assert (again.segments.since == once.content.segments.since).all()


def test_an_artifact_of_a_later_day_is_no_history(products: Products, tmp_path: Path) -> None:
    later = as_artifact(tmp_path, learn(AS_OF_DAY, products))

    earlier = learn(700, products, later)

    assert read_segment_report(earlier.segments)["snapshots"] == []
    assert read_segment_report(earlier.segments)["moves"] is None


def test_nobody_bought_anything(products: Products) -> None:
    nothing = interactions_until(0)
    facts = AccountFacts.none(N_ACCOUNTS)

    accounts = learn_accounts(nothing, products, facts, AS_OF_DAY * DAY, None)[0]

    assert len(accounts.activity.day) == len(Activity.empty({ACCOUNTS: N_ACCOUNTS}).day) == 0
    assert read_segment_report(accounts.segments)["segments"]["all.accounts"]["size"] == N_ACCOUNTS
    assert (accounts.segments.codes[:, 1] == NOT_SEGMENTED).all()
