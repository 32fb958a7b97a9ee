"""Looks up what some requests rest on: from memory alone."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_ROW, Content
from service.base.arbitration_options import DEFAULT_OPTIONS, ArbitrationOptions, Strategy
from service.offers.account_products import NO_PAIRS, AccountProducts, join
from service.offers.facts import Facts
from service.offers.filters import gather_filters
from service.offers.repeats import gather_repeats
from service.offers.request import OfferRequest
from service.readmodel.account_hierarchy import AccountHierarchy
from service.readmodel.active_policies import PoliciesInUse
from service.readmodel.availability import Availability
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.deals import DealProducts, ProductsInDeals
from service.readmodel.levers import Levers
from service.readmodel.live_state import LiveState
from service.readmodel.objections import Objections
from service.readmodel.ownership import NO_PRODUCTS, AccountState, Ownership
from service.readmodel.product_index import ProductIndex
from service.readmodel.returned_products import ReturnedProducts
from service.readmodel.stored_arbitration import StoredArbitration

NO_DEALS: Final = ProductsInDeals(NO_PRODUCTS, NO_PRODUCTS)
NO_KEYS: Final = np.empty(0, dtype=np.int64)


def gather(
    state: LiveState,
    requests: Sequence[OfferRequest],
    options: ArbitrationOptions = DEFAULT_OPTIONS,
    *,
    now: datetime | None = None,
    policies: PoliciesInUse | None = None,
) -> Facts:
    """Look up everything that some requests name, each for one account or for nobody in particular.

    What happened since the artifact stands in place of what the artifact says.
    now: the only clock of a decision; without it, everything can be had, and policies of all times apply.
    options: what the settings say; what is stored stands in its place.
    policies: in place of those of the state.
    """
    availability, stored = state.part(Availability), state.part(StoredArbitration)
    options = stored.over(options)
    in_use = policies or PoliciesInUse.from_state(state)
    content, catalogue = state.content, state.part(CatalogueView)
    products, n_products = catalogue.products, len(catalogue.products.is_active)
    accounts = _look_up_accounts(state, requests)
    owned_products = had = AccountProducts.from_rows(accounts.owned, n_products)
    of_accounts = accounts.rows, accounts.live
    repurchases = in_use.active.repurchases_at(now)
    in_basket = _named(products, [request.basket for request in requests])
    if not in_basket.is_empty:
        had = in_basket if owned_products.is_empty else join(owned_products, in_basket)
    negotiated, lost = _in_deals(state, requests, n_products)
    return Facts(
        content=content,
        products=products,
        relationships=catalogue.relationships,
        evidence=catalogue.evidence,
        account_ids=[request.account_id for request in requests],
        account_rows=np.array(accounts.rows, dtype=np.int64),
        is_known=accounts.is_known,
        is_changed=accounts.is_changed,
        is_objecting=np.array(accounts.is_objecting, dtype=np.bool_),
        owned=owned_products,
        recent=AccountProducts.from_rows(accounts.recent, n_products),
        basket=in_basket,
        excluded=_named(products, [request.exclude for request in requests]),
        among=_named(products, [request.among for request in requests]),
        has_among=np.array([bool(request.among) for request in requests], dtype=np.bool_),
        is_prioritised=_prioritised(content, options, in_basket, len(requests)),
        explains_all=[request.explains_all for request in requests],
        returned=_returned(state, requests, n_products),
        negotiated=negotiated,
        lost=lost,
        had=had,
        filters=gather_filters(catalogue, requests, owned_products, in_basket),
        fields=[request.fields for request in requests],
        unknown_products=_unknown_products(products, requests),
        attributes=catalogue.attributes,
        variants_elsewhere=_variants_elsewhere(products, accounts.elsewhere) if accounts.elsewhere else NO_KEYS,
        tie_seeds=np.array([crc32((request.account_id or "").encode()) for request in requests], dtype=np.uint64),
        limits=np.array([request.limit for request in requests], dtype=np.int64),
        options=options,
        first_upgrades=stored.first_upgrades,
        levers=state.part(Levers),
        now=now,
        unavailable=None if now is None else availability.unavailable_at(now),
        availability=availability,
        valid_until=None if now is None else now + timedelta(hours=options.valid_hours),
        values=catalogue.values(options.margin_rate, options.max_value_ratio),
        repeats=gather_repeats(content, requests, of_accounts, owned_products, repurchases, now),
        policies=in_use.withheld_from(requests, accounts.rows, now),
        switched_off=in_use.active.rules_off,
        owned_above=_owned_above(state, requests, n_products) if in_use.active.counts_parents else NO_PAIRS,
    )


class _Accounts(NamedTuple):
    """What is known of each account, in the order of the requests; see ``Facts``.

    elsewhere: of each, the products in the basket or owned, among which may be some that the artifact does not know;
    empty where there are no variants. live: what is known of each since the artifact, None where nothing is.
    """

    rows: list[int]
    is_known: list[bool]
    is_changed: list[bool]
    is_objecting: list[bool]
    owned: list[NDArray[np.int32]]
    recent: list[NDArray[np.int32]]
    elsewhere: list[Iterable[str]]
    live: list[AccountState | None]


def _look_up_accounts(state: LiveState, requests: Sequence[OfferRequest]) -> _Accounts:
    """Look each account up; what happened since the artifact stands in place of what the artifact says."""
    content, by_account = state.content, state.part(Ownership).by_account
    objecting, has_variants = state.part(Objections).accounts, state.part(CatalogueView).products.n_variant_groups > 0
    accounts = _Accounts([], [], [], [], [], [], [], [])
    for request in requests:
        account_id = request.account_id
        row = live = None
        if account_id is not None:
            row, live = content.account_ids.row_of(account_id), by_account.get(account_id)
        accounts.rows.append(NO_ROW if row is None else row)
        accounts.is_known.append(row is not None or live is not None)
        accounts.is_changed.append(live is not None)
        accounts.live.append(live)
        accounts.is_objecting.append(account_id in objecting)
        if has_variants:
            accounts.elsewhere.append((*request.basket, *(live.others if live is not None else ())))
        accounts.recent.append(NO_PRODUCTS if live is None else live.recent)
        if live is not None:
            accounts.owned.append(live.owned)
        else:
            accounts.owned.append(NO_PRODUCTS if row is None else content.owned_by(row))
    return accounts


def _owned_above(state: LiveState, requests: Sequence[OfferRequest], n_products: int) -> AccountProducts:
    """Look up what accounts above each account own."""
    hierarchy, content, by_account = state.part(AccountHierarchy).now, state.content, state.part(Ownership).by_account
    owned: list[NDArray[np.int32]] = []
    for request in requests:
        above = () if request.account_id is None else hierarchy.ancestors(request.account_id)
        of_each = [NO_PRODUCTS]
        for account_id in above:
            live, row = by_account.get(account_id), content.account_ids.row_of(account_id)
            of_each.append(live.owned if live is not None else NO_PRODUCTS if row is None else content.owned_by(row))
        owned.append(np.unique(np.concatenate(of_each)))
    return AccountProducts.from_rows(owned, n_products)


def _prioritised(
    content: Content, options: ArbitrationOptions, basket: AccountProducts, n_accounts: int
) -> NDArray[np.bool_]:
    """Tell which accounts' candidates are ranked by propensity.

    What completes a basket has one of its own, where enough orders taught it.
    """
    is_prioritised = content.propensities.has_any and options.strategy is not Strategy.RELEVANCE
    prioritised = np.full(n_accounts, is_prioritised)
    if not content.basket_chances.has_any:
        prioritised[basket.account] = False
    return prioritised


def _variants_elsewhere(products: ProductIndex, named: Sequence[Iterable[str]]) -> NDArray[np.int64]:
    """Look up the groups of those products that the artifact does not know. named: for each account."""
    n_groups, groups = products.n_variant_groups, products.variants_by_id
    keys = [
        place * n_groups + groups[product_id]
        for place, product_ids in enumerate(named)
        for product_id in product_ids
        if product_id in groups and products.row_of(product_id) is None
    ]
    return np.array(keys, dtype=np.int64)


def _named(products: ProductIndex, named: Sequence[Sequence[str]]) -> AccountProducts:
    """Look up what each request names. Many requests of a batch name the very same products."""
    if not any(named):
        return NO_PAIRS
    rows: dict[int, NDArray[np.int32]] = {}
    for product_ids in named:
        if id(product_ids) not in rows:
            rows[id(product_ids)] = products.rows_of(product_ids)
    return AccountProducts.from_rows([rows[id(product_ids)] for product_ids in named], len(products.is_active))


def _unknown_products(products: ProductIndex, requests: Sequence[OfferRequest]) -> list[Sequence[str]]:
    """Return the products that each request names and the artifact does not know, each once."""
    unknown: dict[tuple[int, int, int], Sequence[str]] = {}
    for request in requests:
        named = id(request.basket), id(request.exclude), id(request.among)
        if named not in unknown:
            product_ids = dict.fromkeys((*request.basket, *request.exclude, *request.among))
            unknown[named] = [product_id for product_id in product_ids if products.row_of(product_id) is None]
    return [unknown[id(request.basket), id(request.exclude), id(request.among)] for request in requests]


def _returned(state: LiveState, requests: Sequence[OfferRequest], n_products: int) -> AccountProducts:
    """Look up what each account returned recently. Most return nothing."""
    by_account = state.part(ReturnedProducts).by_account
    if not by_account:
        return NO_PAIRS
    rows = [by_account.get(request.account_id or "", NO_PRODUCTS) for request in requests]
    return AccountProducts.from_rows(rows, n_products) if any(map(len, rows)) else NO_PAIRS


def _in_deals(
    state: LiveState, requests: Sequence[OfferRequest], n_products: int
) -> tuple[AccountProducts, AccountProducts]:
    """Look up what each account has an open deal for, and what it decided against recently."""
    by_account = state.part(DealProducts).by_account
    if not by_account:
        return NO_PAIRS, NO_PAIRS
    deals = [by_account.get(request.account_id or "", NO_DEALS) for request in requests]
    if all(deal is NO_DEALS for deal in deals):
        return NO_PAIRS, NO_PAIRS
    negotiated, lost = zip(*deals, strict=True)
    return AccountProducts.from_rows(negotiated, n_products), AccountProducts.from_rows(lost, n_products)
