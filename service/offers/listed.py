"""The decisions for many accounts at once, from what training listed for them: array by array, not one by one."""

from collections.abc import Sequence
from itertools import repeat

import numpy as np

from models.artifact import NO_ROW
from service.live.state import LiveState
from service.offers.decide import Decision
from service.offers.explain import explain
from service.offers.facts import Asked, gather, known_rows
from service.offers.reasons import Source, WithheldCode
from service.offers.rules import first_objection
from service.offers.shelf import ProductRow, Shelf


def decide_listed(
    shelf: Shelf, state: LiveState, account_ids: Sequence[str], exclude: Sequence[str], limit: int
) -> dict[str, Decision]:
    """Decide for those of some accounts whose list is enough, just as ``decide`` does one by one.

    Left out are accounts that are unknown, own nothing, object to marketing, or ordered since the artifact; those that
    own what has upgrades or what people spoke of; those from whose list a relationship withholds a product; and
    those with fewer than ``limit`` products that may be offered in the explained part of their list.
    """
    content, links = shelf.content, shelf.links
    is_led = links.accounts_led
    known = {
        account_id: row
        for account_id in account_ids
        if account_id not in state.accounts
        and account_id not in state.objecting
        and (row := content.account_ids.row_of(account_id)) is not None
        and content.owned_offsets[row] < content.owned_offsets[row + 1]
        and not is_led[row]
    }
    names = list(known)
    rows = np.fromiter(known.values(), dtype=np.int64, count=len(known))
    products = content.candidate_products[rows, : content.candidate_reasons.shape[1]]
    is_there = products != NO_ROW
    is_excluded = is_there & np.isin(products, list(known_rows(shelf, exclude)))
    is_inactive = is_there & ~is_excluded & ~shelf.is_active.take(products, mode="clip")
    # The list holds nothing that its account owned at training, and none of these accounts has ordered since.
    is_offered = is_there & ~is_excluded & ~is_inactive
    is_examined = is_offered.cumsum(axis=1) - is_offered < limit
    is_chosen = is_offered & is_examined
    is_enough = is_chosen.sum(axis=1) == limit
    is_doubtful = (links.is_guarded | shelf.has_tier).take(products, mode="clip") & is_chosen
    for place in (is_doubtful.any(axis=1) & is_enough).nonzero()[0].tolist():
        is_enough[place] = may_be_offered(shelf, state, names[place], products[place, is_doubtful[place]].tolist())

    enough = is_enough.nonzero()[0]
    columns = is_chosen[enough].nonzero()[1].reshape(len(enough), limit)
    rows_down = rows[enough, None]
    by_account = zip(
        (names[place] for place in enough.tolist()),
        content.candidate_products[rows_down, columns].tolist(),
        content.candidate_scores[rows_down, columns].tolist(),
        content.candidate_reasons[rows_down, columns].tolist(),
        (is_excluded & is_examined).sum(axis=1)[enough].tolist(),
        (is_inactive & is_examined).sum(axis=1)[enough].tolist(),
        strict=True,
    )
    return {
        account_id: Decision(
            Source.PERSONALIZED,
            explain(zip(products, scores, repeat(Source.PERSONALIZED), map(speaking, pairs)), shelf),
            withheld_counts(n_excluded, n_inactive),
        )
        for account_id, products, scores, pairs, n_excluded, n_inactive in by_account
    }


def may_be_offered(shelf: Shelf, state: LiveState, account_id: str, products: Sequence[ProductRow]) -> bool:
    """Tell whether no rule withholds any of some products from an account."""
    facts = gather(shelf, state, Asked(account_id, len(products)))
    return not any(first_objection(product, facts) for product in products)


def speaking(pair: list[ProductRow]) -> list[ProductRow]:
    """Leave out the padding of a pair of contributors."""
    return pair if pair[1] != NO_ROW else [row for row in pair if row != NO_ROW]


def withheld_counts(n_excluded: int, n_inactive: int) -> dict[WithheldCode, int]:
    """Name the counts that are not zero."""
    counts = ((WithheldCode.EXCLUDED, n_excluded), (WithheldCode.INACTIVE, n_inactive))
    return {code: n for code, n in counts if n}
