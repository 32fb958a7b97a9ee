"""The decisions for many accounts at once, from what training listed for them: array by array, not one by one."""

from collections.abc import Iterator, Sequence
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_ROW
from service.offers.decide import Decision
from service.offers.explanation import explain
from service.offers.facts import OfferRequest, gather, known_rows
from service.offers.reasons import Source, WithheldCode
from service.offers.rules import first_objection
from service.offers.rules_for_many import MAY_BE_OFFERED, RULES_FOR_MANY, first_objections
from service.readmodel.edges import Owned
from service.readmodel.live_state import LiveState
from service.readmodel.objections import Objections
from service.readmodel.ownership import Ownership
from service.readmodel.product_index import ProductIndex, ProductRow


def decide_listed(
    shelf: ProductIndex,
    state: LiveState,
    account_ids: Sequence[str],
    exclude: Sequence[str],
    limit: int,
    *,
    is_up_sell_first: bool = True,
) -> dict[str, Decision]:
    """Decide for those of some accounts whose upgrades and list are enough, just as ``decide`` does one by one.

    Left out are accounts that are unknown, own nothing, object to marketing, or ordered since the artifact; those that
    own what people say goes with something; those from whose offers a tier withholds a product; and those with fewer
    than ``limit`` products that may be offered among the upgrades and in the explained part of their list.
    """
    content = shelf.content
    known = {
        account_id: row
        for account_id in account_ids
        if account_id not in state.part(Ownership).by_account
        and account_id not in state.part(Objections).accounts
        and (row := content.account_ids.row_of(account_id)) is not None
        and content.owned_offsets[row] < content.owned_offsets[row + 1]
    }
    names = list(known)
    rows = np.fromiter(known.values(), dtype=np.int64, count=len(known))
    owned = Owned(content.owned_offsets, content.owned_products, rows, len(shelf.is_active))
    products, scores, speaking = candidates_of(shelf, rows, owned, is_up_sell_first=is_up_sell_first)
    excluded = np.array(sorted(known_rows(shelf, exclude)), dtype=np.int32)
    objections = first_objections(shelf, excluded, owned, products)
    is_offered = objections == MAY_BE_OFFERED
    is_examined = is_offered.cumsum(axis=1) - is_offered < limit
    is_chosen = is_offered & is_examined
    is_enough = is_chosen.sum(axis=1) == limit
    is_enough[owned.accounts[np.isin(owned.products, list(shelf.links.promoted))]] = False
    is_tiered = shelf.has_tier.take(products, mode="clip") & is_chosen
    for place in (is_tiered.any(axis=1) & is_enough).nonzero()[0].tolist():
        is_enough[place] = may_be_offered(shelf, state, names[place], products[place, is_tiered[place]].tolist())

    enough = is_enough.nonzero()[0]
    columns = is_chosen[enough].nonzero()[1].reshape(len(enough), limit)
    down = enough[:, None]
    by_account = zip(
        (names[place] for place in enough.tolist()),
        products[down, columns].tolist(),
        scores[down, columns].tolist(),
        speaking[down, columns].tolist(),
        counted(np.where(is_examined, objections, MAY_BE_OFFERED)[enough]),
        strict=True,
    )
    return {
        account_id: Decision(
            Source.PERSONALIZED,
            explain(zip(products, scores, repeat(Source.PERSONALIZED), map(named, pairs)), shelf),
            withheld,
        )
        for account_id, products, scores, pairs, withheld in by_account
    }


def candidates_of(
    shelf: ProductIndex, rows: NDArray[np.int64], owned: Owned, *, is_up_sell_first: bool
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int32]]:
    """Return the candidates of accounts, best first, with their scores and up to two products that speak for each.

    Products and scores are (n, K), what speaks is (n, K, 2), each with NO_ROW where there is none: upgrades first, then
    the part of the list that training explained. A product that is twice among them stands in the first place alone.
    """
    content = shelf.content
    width = content.candidate_reasons.shape[1]
    products, scores = content.candidate_products[rows, :width], content.candidate_scores[rows, :width]
    speaking = content.candidate_reasons[rows]
    if not is_up_sell_first:
        return products, scores, speaking
    led = shelf.links.upgrades.of(owned)
    is_twice = (products[:, :, None] == led.products[:, None, :]).any(axis=2)
    alone = np.stack((led.sources, np.full_like(led.sources, NO_ROW)), axis=2)
    return (
        np.hstack((led.products, np.where(is_twice, NO_ROW, products))),
        np.hstack((led.strengths, scores)),
        np.concatenate((alone, speaking), axis=1),
    )


def counted(objections: NDArray[np.int8]) -> Iterator[dict[WithheldCode, int]]:
    """Count the objections of each account."""
    counts = [(objections == number).sum(axis=1).tolist() for number in range(1, len(RULES_FOR_MANY) + 1)]
    for of_one in zip(*counts, strict=True):
        yield {code: n for (code, _), n in zip(RULES_FOR_MANY, of_one, strict=True) if n}


def may_be_offered(shelf: ProductIndex, state: LiveState, account_id: str, products: Sequence[ProductRow]) -> bool:
    """Tell whether no rule withholds any of some products from an account."""
    facts = gather(shelf, state, OfferRequest(account_id, len(products)))
    return not any(first_objection(product, facts) for product in products)


def named(pair: list[ProductRow]) -> list[ProductRow]:
    """Leave out the padding of a pair of contributors."""
    return pair if pair[1] != NO_ROW else [row for row in pair if row != NO_ROW]
