"""A segment that is evaluated before it is stored is, once stored, as if it were evaluated then."""

from typing import Any, Final

import pytest

from service.readmodel.ranked_accounts import Definition
from service.readmodel.rule_grammar import AttributeRule
from service.readmodel.segment_membership import MAX_DRAFT_CHANGES, Attributes, SegmentMembership
from tests.sold import AS_OF_DAY, sold_content

PUBLIC: Final = Definition("custom.public", "Public", None, AttributeRule(attribute="sector", op="eq", value="public"))


@pytest.fixture
def membership() -> SegmentMembership:
    """No segment yet."""
    return SegmentMembership(sold_content(), AS_OF_DAY, {})


def sectors(**by_account: str) -> dict[str, dict[str, Any]]:
    """Attributes by account."""
    return {account_id: {"sector": sector} for account_id, sector in by_account.items()}


def refuse(_account_ids: object = None) -> Attributes:
    raise AssertionError("nothing is left to read")


def test_a_draft_is_taken_over_without_reading_again(membership: SegmentMembership) -> None:
    with membership.draft(PUBLIC, lambda: sectors(a1="public", a2="private")) as drafted:
        assert membership.accept_draft(PUBLIC, refuse)

    members = membership.find(PUBLIC.id)
    assert members is not None
    assert members.ranks.tolist() == drafted.ranks.tolist()
    assert members.size == 1


def test_facts_that_change_while_a_draft_is_open_count(membership: SegmentMembership) -> None:
    now = sectors(a1="private", a2="public", a3="public", new="public")

    with membership.draft(PUBLIC, lambda: sectors(a1="public", a2="private", a3="public")):
        membership.refresh(["a1", "a2", "new"], {})
        assert membership.accept_draft(PUBLIC, lambda account_ids: {key: now[key] for key in account_ids})

    accepted = membership.find(PUBLIC.id)
    membership.define([PUBLIC], now)
    anew = membership.find(PUBLIC.id)
    assert accepted is not None
    assert anew is not None
    assert accepted.ranks.tolist() == anew.ranks.tolist()
    assert accepted.newcomers == anew.newcomers == {"new"}
    assert accepted.sums.figures == pytest.approx(anew.sums.figures)


def test_a_draft_of_another_rule_or_one_that_is_over_is_not_taken(membership: SegmentMembership) -> None:
    other = Definition(PUBLIC.id, "Other", None, AttributeRule(attribute="sector", op="eq", value="private"))

    with membership.draft(PUBLIC, dict):
        assert not membership.accept_draft(other, refuse)
    assert not membership.accept_draft(PUBLIC, refuse)


def test_a_draft_during_which_too_much_changes_is_dropped(membership: SegmentMembership) -> None:
    with membership.draft(PUBLIC, dict):
        membership.refresh([f"new-{number}" for number in range(MAX_DRAFT_CHANGES + 1)], {})

        assert not membership.accept_draft(PUBLIC, refuse)
