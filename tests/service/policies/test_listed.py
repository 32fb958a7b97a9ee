"""What policies withhold from the accounts of lists, against every request there may be."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given

from service.offers.request import OfferRequest
from service.policies.schemas import PolicyIn
from service.readmodel.active_policies import ActivePolicies, CountingPolicies
from service.readmodel.listed_policies import ListedPolicies
from service.readmodel.policies import PolicyType
from service.readmodel.policy_products import NO_POLICY
from tests.service.policies.test_withheld import (
    CONTENT,
    LIMIT,
    NOW,
    PRODUCTS,
    activate,
    policies,
    withholding,
)

KNOWN: Final = ("a0", "a1", "a2", "a3", "a44", "a55")
IDS: Final = CONTENT.products.ids.texts
ROWS: Final = np.array([CONTENT.account_ids.row_of(account_id) for account_id in KNOWN])
ALL_PRODUCTS: Final = np.arange(len(IDS))


def requests_of(account_id: str) -> Iterator[OfferRequest]:
    """Requests that differ in all that the rules ask for."""
    for placement in (None, "checkout", "mail"):
        for basket in ((), ("beans",), ("beans", "mug")):
            for channel in (None, "web", "mail"):
                context: dict[str, str | int] = {} if channel is None else {"channel": channel, "visits": 3}
                yield OfferRequest(account_id, LIMIT, basket, placement=placement, context=context)


def listed_policies(made: list[PolicyIn]) -> ListedPolicies:
    return ListedPolicies(activate([each.policy(each.policy_id or "") for each in made if each.is_enabled]), NOW)


def policy(number: int = 0, **given_fields: Any) -> PolicyIn:
    fields = {"policy_id": f"p-{number}", "name": f"Policy {number}", "type": "eligibility", **given_fields}
    return PolicyIn.model_validate(fields)


def names(listed: ListedPolicies, places: np.ndarray[Any, Any]) -> list[str | None]:
    return [None if place == NO_POLICY else listed.policy_ids[place] for place in places.tolist()]


def asks_for_requests(made: list[PolicyIn]) -> bool:
    return any(name in str(each.definition()) for each in made for name in ("'request'", "'context'"))


@given(policies())
def test_what_a_list_leaves_out_is_withheld_whatever_a_request_is_like(made: list[PolicyIn]) -> None:
    listed = listed_policies(made)

    for row, account_id in zip(ROWS, KNOWN, strict=True):
        reasons = names(listed, listed.withholding_each(account_id, int(row), ALL_PRODUCTS))
        for product_id, reason in zip(IDS, reasons, strict=True):
            withheld = [withholding(made, request, product_id, NOW) for request in requests_of(account_id)]
            if reason is not None:
                assert None not in withheld
            elif not asks_for_requests(made):
                assert set(withheld) == {None}
            if reason is not None and not asks_for_requests(made):
                assert set(withheld) == {reason}


@given(policies())
def test_lists_look_up_many_accounts_and_products_as_single_ones(made: list[PolicyIn]) -> None:
    listed = listed_policies(made)
    each = np.stack(
        [listed.withholding_each(key, int(row), ALL_PRODUCTS) for key, row in zip(KNOWN, ROWS, strict=True)]
    )

    for product in ALL_PRODUCTS:
        assert listed.withholding(ROWS, np.array([product])).tolist() == each[:, product].tolist()
    for products in (ALL_PRODUCTS, ALL_PRODUCTS[:3], ALL_PRODUCTS[:0]):
        closed = listed.withholding(ROWS, products)
        expected = (each[:, products] != NO_POLICY).all(axis=1) & bool(len(products))
        assert (closed != NO_POLICY).tolist() == expected.tolist()
        if listed:
            assert listed.withholding_from_all(products)[ROWS].tolist() == closed.tolist()
        new = (listed.withholding_each("new", None, products) != NO_POLICY).all() and bool(len(products))
        if listed.policy_ids and listed._active.accounts.terms:
            assert ("new" in listed.withholding_from_newcomers(products)) == new


AT_CHECKOUT: Final = {"request": "placement", "op": "eq", "value": "checkout"}
AMERICAN: Final = {"attribute": "country", "op": "eq", "value": "US"}
HAS_ACCOUNT: Final = {"request": "has_account", "op": "eq", "value": True}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"offer_only_if": AMERICAN}, {"a1", "a2", "a3", "a44", "a55"}),
        ({"offer_only_if": AT_CHECKOUT}, set()),
        ({"withhold_if": {"context": "channel", "op": "is_known"}}, set()),
        ({"offer_only_if": {"request": "basket_size", "op": "ge", "value": 1}}, set()),
        ({"offer_only_if": {"all": [AMERICAN, AT_CHECKOUT]}}, {"a1", "a2", "a3", "a44", "a55"}),
        ({"offer_only_if": {"any": [AMERICAN, AT_CHECKOUT]}}, set()),
        ({"withhold_if": {"all": [AMERICAN, AT_CHECKOUT]}}, set()),
        ({"withhold_if": {"any": [AMERICAN, AT_CHECKOUT]}}, {"a0", "a2", "a3", "a44", "a55"}),
        ({"withhold_if": {"all": [HAS_ACCOUNT, AMERICAN]}}, {"a0", "a2", "a3", "a44", "a55"}),
        ({"withhold_if": HAS_ACCOUNT}, set(KNOWN)),
        ({"withhold_if": {"any": [HAS_ACCOUNT, AT_CHECKOUT]}}, set(KNOWN)),
        ({"offer_only_if": {"all": [{"not": HAS_ACCOUNT}, AT_CHECKOUT]}}, set(KNOWN)),
        ({"offer_only_if": {"not": HAS_ACCOUNT}}, set(KNOWN)),
    ],
)
def test_a_condition_on_the_request_may_hold_or_not(fields: dict[str, Any], expected: set[str]) -> None:
    """Unknown conditions on the account withhold, as in every answer."""
    listed = listed_policies([policy(**fields)])

    withheld = listed.withholding(ROWS, np.array([0]))

    assert {key for key, place in zip(KNOWN, withheld.tolist(), strict=True) if place != NO_POLICY} == expected


def test_several_policies_withhold_everything_together() -> None:
    cheap = {"product": "price_minor", "op": "lt", "value": 1000}
    lower, upper = policy(1, withhold_if={"all": [AMERICAN, cheap]}), policy(2, withhold_if={"not": cheap})
    priced = np.array([row for row, key in enumerate(IDS) if PRODUCTS[key].price_minor is not None])

    listed = listed_policies([lower, upper])

    assert names(listed, listed.withholding(ROWS[:2], priced))[0] in ("p-1", "p-2")
    assert listed.withholding(ROWS[1:2], priced).tolist() == [NO_POLICY]


def test_a_policy_counts_while_it_is_in_force_and_limits_do_not() -> None:
    passed = policy(1, withhold_if=HAS_ACCOUNT, valid_until="2024-01-01T00:00:00Z")
    limit = PolicyIn.model_validate(
        {"policy_id": "p-2", "name": "Twice", "type": PolicyType.LIMIT,
         "limit": {"at_most": 2, "window": {"days": 7}}},
    )  # fmt: skip
    rules = activate([passed.policy("p-1")])
    counting = CountingPolicies(limits=[limit.contact_limit("p-2")])
    active = ActivePolicies(rules.policies, rules.accounts, rules.products, rules.switched_off, counting)

    assert (ListedPolicies(active, NOW).withholding(ROWS, ALL_PRODUCTS) == NO_POLICY).all()
