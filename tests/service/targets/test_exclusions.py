"""Accounts that should not be asked, by reason: as the naive definition has them, and no more are looked at."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from service.readmodel.deals import Declines
from service.readmodel.objections import Objections
from service.readmodel.segment_membership import SegmentMembership
from service.targets import do_not_pitch
from service.targets.do_not_pitch import page_of_excluded, reasons_of
from service.targets.exclusions import CurrentExclusions, Exclusions
from service.targets.schemas import ExclusionReason
from tests.service.targets.large import large_state

NOW = datetime(2024, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def current() -> CurrentExclusions:
    """Random objections and lost deals over the large artifact, some of accounts that it does not know."""
    state, segments = large_state()
    names = segments.content.account_ids.texts
    rng = np.random.default_rng(3)
    known = [names[row] for row in rng.choice(len(names), 400, replace=False).tolist()]
    state.part(Objections).replace((), {*known[:100], "stranger", "another"})
    state.part(Declines).replace((), {name: NOW - timedelta(days=number) for number, name in enumerate(known[50:250])})
    exclusions = Exclusions(segments)
    unprofitable = [names[row] for row in exclusions.unprofitable_rows[:20].tolist()]
    state.part(SegmentMembership).set_strategic((), {*known[300:], *unprofitable, "stranger"})
    return CurrentExclusions(exclusions, state, NOW)


def list_naively(current: CurrentExclusions, reason: ExclusionReason | None) -> Iterator[str]:
    """Ask every account, one by one."""
    names = list(current.exclusions.segments.content.account_ids.texts)
    rows: list[int | None] = list(range(len(names)))
    for row, account_id in zip([*rows, None, None], [*names, "another", "stranger"], strict=True):
        codes = {entry["code"] for entry in reasons_of(current, account_id, row)}
        if codes and (reason is None or reason in codes):
            yield account_id


@pytest.mark.parametrize("reason", [None, *ExclusionReason])
def test_a_reason_lists_the_accounts_that_have_it(current: CurrentExclusions, reason: ExclusionReason | None) -> None:
    names = current.exclusions.segments.content.account_ids.texts

    listed = current.accounts_with(reason)

    assert [names[row] for row in listed.rows.tolist()] + listed.newcomers == list(list_naively(current, reason))
    if reason is not None:
        assert current.counts()[reason] == len(listed.rows) + len(listed.newcomers)


def test_a_page_of_a_rare_reason_looks_at_its_own_accounts_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    state, segments = large_state()
    exclusions, examined = Exclusions(segments), []

    def count(current: CurrentExclusions, account_id: str, row: int | None) -> list[dict[str, str]]:
        examined.append(account_id)
        return reasons_of(current, account_id, row)

    monkeypatch.setattr(do_not_pitch, "reasons_of", count)

    page = page_of_excluded(exclusions, state, NOW, ExclusionReason.UNPROFITABLE, None, 1000)

    assert 0 < len(page["items"]) < 1000
    assert len(exclusions.unlikely_rows) > 10_000
    assert len(examined) == len(page["items"])
