"""Purchases are summed up by account and day."""

from collections.abc import Sequence

import numpy as np
import pytest

from models.customers.history import PurchaseHistory, history_of_events

DAY = 86_400


def history(
    *events: tuple[int, float, float, float],
    n_accounts: int = 2,
    as_of: float = 100,
    unconverted: Sequence[int] = (),
) -> PurchaseHistory:
    """Sum up events of account, day, amount and quantity. unconverted: positions of those whose money is not known."""
    account, day, amount, quantity = zip(*events, strict=True) if events else ((), (), (), ())
    return history_of_events(
        np.array(account, dtype=np.int32),
        (np.array(day, dtype=np.float64) * DAY).astype(np.int64),
        np.array(amount, dtype=np.float64),
        np.array(quantity, dtype=np.float64) > 0,
        n_accounts,
        int(as_of * DAY),
        np.isin(np.arange(len(events)), unconverted),
    )


def test_purchases_of_one_day_are_one_and_the_first_is_no_repeat() -> None:
    summary = history((0, 10.1, 100, 1), (0, 10.9, 50, 1), (0, 30, 20, 1), (0, 40, 40, 2))

    assert (summary.n_purchases[0], summary.n_repeat[0]) == (3, 2)
    assert (summary.last_days[0], summary.age_days[0]) == (30, 90)
    assert (summary.mean_spend[0], summary.spend[0]) == (30, 210)
    assert (summary.gap_days[0], summary.gap_spread[0], summary.usual_gap[0]) == (
        15,
        pytest.approx(np.sqrt(50)),
        15,
    )
    assert (summary.account.tolist(), summary.day.tolist()) == ([0, 0, 0], [10, 30, 40])


def test_a_return_is_no_purchase_and_takes_its_money_away() -> None:
    summary = history((0, 10, 100, 1), (0, 30, 60, 1), (0, 50, -20, -1))

    assert (summary.n_purchases[0], summary.last_days[0]) == (2, 20)
    assert (summary.mean_spend[0], summary.spend[0]) == (40, 140)


def test_who_never_bought_has_no_figures() -> None:
    for summary in (history((0, 10, 100, 1), (1, 10, -5, -1)), history()):
        assert (summary.n_purchases[1], summary.n_repeat[1], summary.last_days[1], summary.age_days[1]) == (
            0,
            0,
            0,
            0,
        )
        assert not summary.has_bought[1]
        assert np.isnan([summary.mean_spend[1], summary.gap_days[1], summary.gap_spread[1], summary.usual_gap[1]]).all()


def test_the_usual_gap_is_the_median() -> None:
    summary = history(*((0, day, 1, 1) for day in (0, 7, 14, 60)), *((1, day, 1, 1) for day in (0, 7, 17, 20, 90)))

    assert summary.usual_gap.tolist() == [7, 8.5]


def test_the_order_of_events_does_not_matter() -> None:
    events = [(account, day, 10.0 * day, 1.0) for account in (0, 1) for day in (3, 9, 20, 41)]

    forward, backward = history(*events), history(*reversed(events))

    for name, values in vars(forward).items():
        np.testing.assert_array_equal(values, getattr(backward, name))


def test_purchases_whose_money_is_not_known_count_as_purchases_and_not_in_their_mean_spend() -> None:
    events = ((0, 10, 100, 1), (0, 20, 50, 1), (0, 30, 0, 1), (0, 40, 70, 1), (0, 40, 0, 1), (0, 50, 30, 1))

    summary = history(*events, (1, 10, 0, 1), (1, 20, 0, 1), unconverted=(2, 4, 6, 7))

    assert (summary.n_repeat.tolist(), summary.n_valued.tolist()) == ([4, 1], [2, 0])
    assert (summary.mean_spend[0], summary.spend[0]) == ((50 + 30) / 2, 250)
    assert np.isnan(summary.mean_spend[1])
    assert summary.unconverted_lines.tolist() == [2, 2]
    assert summary.is_money_known.tolist() == [True, False]
    assert summary.last_days.tolist() == [40, 10]
