"""What a request restricts its offers to: lines, categories, price, attributes and relations."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import concatenate_ranges, first_of_each
from models.artifact import NO_NUMBER
from models.artifact.relationships import RELATIONS
from service.offers.account_products import NO_PAIRS, AccountProducts
from service.offers.reasons import Source
from service.offers.request import OfferFilter, OfferRequest
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.ownership import NO_PRODUCTS
from service.readmodel.product_index import ProductRow
from service.readmodel.relationships import RelationshipIndex
from service.readmodel.text_codes import TextCodes

MAX_CACHED_FILTERS: Final = 64
"""Filters whose products are remembered for as long as the catalogue does not change."""
UnknownFilters = dict[str, list[str]]


class FilteredProducts(NamedTuple):
    """What passes a filter, apart from relations. is_passing: bool (P,).

    unknown: by field, the values that no product of the catalogue has.
    """

    is_passing: NDArray[np.bool_]
    unknown: UnknownFilters


class RelatedProducts(NamedTuple):
    """What products of n accounts lead to by the relations that are asked for, each pair of account and product once.

    pairs: in ascending order. source: int32 (N,), the owned or basket product that leads to it, the strongest.
    strength: float (N,). is_basket: bool (N,), whether that product is in the basket.
    """

    pairs: AccountProducts
    source: NDArray[np.int32]
    strength: NDArray[np.float64]
    is_basket: NDArray[np.bool_]


NO_RELATED: Final = RelatedProducts(NO_PAIRS, NO_PRODUCTS, np.empty(0), np.empty(0, dtype=np.bool_))


class AccountFilters(NamedTuple):
    """Filters of n accounts.

    number:     int64 (n,), the place of each account's filter in ``is_passing``, bool (k, P).
    needs_relation: bool (n,), whether only related products pass.
    related:    what passes then.
    popular:    bool (P,), the products that any of the accounts may be offered without a relation.
    n_popular:  how many of these are sold.
    unknown:    for each account.
    """

    number: NDArray[np.int64]
    is_passing: NDArray[np.bool_]
    needs_relation: NDArray[np.bool_]
    related: RelatedProducts
    popular: NDArray[np.bool_]
    n_popular: int
    unknown: Sequence[UnknownFilters]

    def passes(
        self, account: NDArray[np.int64], product: NDArray[np.int32], keys: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Return bool (m,): which pairs of account and product pass. keys: see ``Facts.keys``."""
        passes = self.is_passing[self.number[account], product]
        if self.needs_relation.any():
            pairs = self.related.pairs
            is_related = np.zeros(len(keys), dtype=np.bool_) if pairs.is_empty else pairs.has(keys)
            passes = passes & (is_related | ~self.needs_relation[account])
        return np.asarray(passes)

    def leads_to(self, keys: NDArray[np.int64]) -> Iterator[tuple[Source, ProductRow] | None]:
        """Yield what leads to each pair by a relation that is asked for, and where it is; None where nothing does."""
        pairs, source, _, is_basket = self.related
        for place, key in zip(pairs.keys.searchsorted(keys).tolist(), keys.tolist(), strict=True):
            if place < len(source) and pairs.keys[place] == key:
                yield Source.BASKET if is_basket[place] else Source.PERSONALIZED, ProductRow(int(source[place]))
            else:
                yield None

    def only(self, accounts: NDArray[np.int64], related: RelatedProducts) -> "AccountFilters":
        """Return the filters of some accounts. related: theirs."""
        places = accounts.tolist()
        return self._replace(
            number=self.number[accounts],
            needs_relation=self.needs_relation[accounts],
            related=related,
            unknown=[self.unknown[place] for place in places],
        )


NO_FILTER: Final = OfferFilter()


def gather_filters(
    view: CatalogueView, requests: Sequence[OfferRequest], owned: AccountProducts, basket: AccountProducts
) -> AccountFilters | None:
    """Look up what each request's filter lets pass; None where no request has any."""
    if not any(request.filter for request in requests):
        return None
    filters = [request.filter or NO_FILTER for request in requests]
    distinct = {wanted.of_products(): number for number, wanted in reversed(list(enumerate(filters)))}
    numbers = {products: place for place, products in enumerate(distinct)}
    passing = [filtered_products(view, products) for products in distinct]
    by_number = [numbers[wanted.of_products()] for wanted in filters]
    needs_relation = np.array([bool(wanted.relations) for wanted in filters], dtype=np.bool_)
    free = [passing[by_number[place]].is_passing for place in np.flatnonzero(~needs_relation).tolist()]
    popular = np.logical_or.reduce(free) if free else np.zeros(len(view.products.is_active), dtype=np.bool_)
    return AccountFilters(
        np.array(by_number, dtype=np.int64),
        np.stack([one.is_passing for one in passing]),
        needs_relation,
        find_related(view.relationships, [wanted.relations for wanted in filters], owned, basket),
        popular,
        int(np.count_nonzero(popular & view.products.is_active)),
        [passing[number].unknown for number in by_number],
    )


def filtered_products(view: CatalogueView, wanted: OfferFilter) -> FilteredProducts:
    """Return what passes a filter, from the view's cache where it was asked for before."""
    filtered: FilteredProducts | None = view.cache.get(wanted)
    if filtered is None:
        if len(view.cache) >= MAX_CACHED_FILTERS:
            view.cache.clear()
        filtered = view.cache[wanted] = _filter_products(view, wanted)
    return filtered


def _filter_products(view: CatalogueView, wanted: OfferFilter) -> FilteredProducts:
    products = view.products
    is_passing = np.ones(len(products.is_active), dtype=np.bool_)
    unknown: UnknownFilters = {}
    for field, texts, values in (
        ("lines", products.lines, wanted.lines),
        ("categories", products.categories, wanted.categories),
    ):
        if values:
            has_any, not_found = _having(texts, values, is_split=wanted.is_from_query)
            is_passing &= has_any
            unknown |= {field: not_found} if not_found else {}
    if wanted.price_max_minor is not None:
        is_passing &= (products.price != NO_NUMBER) & (products.price <= wanted.price_max_minor)
    for name, allowed in wanted.attributes:
        matches = view.attributes.matching(name, allowed)
        if not matches.any():
            unknown.setdefault("attributes", []).append(name)
        is_passing &= matches
    return FilteredProducts(is_passing, unknown)


def _having(texts: TextCodes, values: Iterable[str], *, is_split: bool) -> tuple[NDArray[np.bool_], list[str]]:
    """Return which products have one of some texts, and the texts that none has.

    is_split: a value that is no product's text is a list, separated by commas.
    """
    has_any, not_found = np.zeros(len(texts.codes), dtype=np.bool_), []
    for value in values:
        has_value = texts.has(value)
        if is_split and "," in value and not has_value.any():
            parts = [part.strip() for part in value.split(",")]
            has_part, missing = _having(texts, filter(None, parts), is_split=False)
            has_any |= has_part
            not_found += missing
        elif has_value.any():
            has_any |= has_value
        else:
            not_found.append(value)
    return has_any, not_found


def find_related(
    index: RelationshipIndex,
    relations: Sequence[Sequence[str]],
    owned: AccountProducts,
    basket: AccountProducts,
) -> RelatedProducts:
    """Follow the relations that are asked for each account from what it has in the basket, then from what it owns.

    Where several lead to one product, the basket goes first, then what is curated, then the strongest.
    """
    if not any(relations):
        return NO_RELATED
    n_products = len(index.starts) - 1
    account = np.concatenate((basket.account, owned.account))
    seed = np.concatenate((basket.product, owned.product))
    is_basket = np.arange(len(seed)) < len(basket.product)
    runs: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for relation in sorted(set(chain.from_iterable(relations))):
        is_asked = np.array([relation in some for some in relations], dtype=np.bool_)
        seeds = is_asked[account].nonzero()[0]
        begins, ends = (bounds[seed[seeds]] for bounds in index.runs(RELATIONS.index(relation)))
        places, positions = concatenate_ranges(begins, ends - begins)
        runs.append((seeds[places], positions))
    place, position = (np.concatenate(column) for column in zip(*runs, strict=True))
    target, strength = index.target[position], index.strength[position].astype(np.float64)
    rank = strength + 2 * index.is_curated[position] + 4 * is_basket[place]
    keys = target if len(relations) == 1 else account[place] * n_products + target
    order = np.lexsort((-rank, keys))
    order = order[first_of_each(keys[order])]
    pairs = AccountProducts(account[place[order]], target[order], keys[order])
    return RelatedProducts(pairs, seed[place[order]], strength[order], is_basket[place[order]])
