"""What decisions rest on: gathered once, from memory, then never changed."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_ROW, Content
from service.offers.account_products import NO_PAIRS, AccountProducts, join
from service.offers.filters import AccountFilters, RelatedProducts, gather_filters
from service.offers.request import OfferRequest
from service.offers.strategy import DEFAULT_OPTIONS, ArbitrationOptions, Strategy
from service.readmodel.active_policies import NO_SWITCHES, AccountPolicies, ActivePolicies
from service.readmodel.availability import Availability, Unavailable
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.deals import DealProducts, ProductsInDeals
from service.readmodel.levers import Levers
from service.readmodel.live_state import LiveState
from service.readmodel.objections import Objections
from service.readmodel.ownership import NO_PRODUCTS, Ownership
from service.readmodel.pair_evidence import EvidenceIndex
from service.readmodel.product_attributes import ProductAttributes
from service.readmodel.product_index import ProductIndex
from service.readmodel.product_values import ProductValues
from service.readmodel.relationships import RelationshipIndex
from service.readmodel.returned_products import ReturnedProducts

NO_DEALS: Final = ProductsInDeals(NO_PRODUCTS, NO_PRODUCTS)
NO_KEYS: Final = np.empty(0, dtype=np.int64)


class Facts(NamedTuple):
    """What is known of n accounts and of what is asked for each, in the artifact's rows. Unknown identifiers are gone.

    products, relationships, attributes, evidence: the catalogue as it was when the facts were gathered: immutable.
    account_ids:      of each account; None for nobody in particular.
    account_rows:     int64 (n,), the artifact's row of each account; NO_ROW for one that it does not know, or nobody.
    is_known:         whether the artifact or the live state knows each account.
    is_objecting:     bool (n,), whether each account objects to marketing.
    owned:            the products that each account owns.
    recent:           what accounts that the artifact has no candidates for bought last.
    basket, excluded: what the request for each account names.
    returned:         what each account returned recently, and does not own any more.
    negotiated, lost: the products that each account has an open deal for, and those whose deal was lost recently.
    filters:          what the requests restrict offers to; None where none does.
    fields:           the attributes that the offers of each account show.
    among:            the only candidates of those accounts whose request names any. has_among: bool (n,), whose does.
    is_prioritised:   bool (n,), whether all candidates of each account have a propensity, and are ranked by it.
    explains_all:     whether what became of every candidate is asked for, for each account.
    unknown_products: what each request names and the artifact does not know.
    had:              what each account owns or has in the basket; what is both comes twice.
    variants_elsewhere: int64 (k,), an account's place times the number of groups of variants, plus the group of a
                      product that the artifact does not know and that the account has: see ``ProductIndex.variants``.
    tie_seeds: uint64 (n,), a number for each account, by which equal candidates are put in an order of its own.
    is_changed:       whether what each account owns may differ from what the artifact says.
    limits:           int64 (n,), how many offers are asked for.
    options:          how candidates compete.
    values:           what each product is worth.
    unavailable:      what can't be had now; None where everything can.
    levers:           what goals and weights multiply priorities by. now: when it is decided; None where no time counts.
    includes_owned:   whether what accounts own is ranked among the rest, rather than withheld.
    policies:         what policies withhold from each account; None where there are none.
    switched_off:     reason codes of the built-in rules that are switched off.
    """

    content: Content
    products: ProductIndex
    relationships: RelationshipIndex
    evidence: EvidenceIndex
    account_ids: Sequence[str | None]
    account_rows: NDArray[np.int64]
    is_known: Sequence[bool]
    is_changed: Sequence[bool]
    is_objecting: NDArray[np.bool_]
    owned: AccountProducts
    recent: AccountProducts
    basket: AccountProducts
    excluded: AccountProducts
    among: AccountProducts
    has_among: NDArray[np.bool_]
    is_prioritised: NDArray[np.bool_]
    explains_all: Sequence[bool]
    returned: AccountProducts
    negotiated: AccountProducts
    lost: AccountProducts
    had: AccountProducts
    variants_elsewhere: NDArray[np.int64]
    tie_seeds: NDArray[np.uint64]
    limits: NDArray[np.int64]
    options: ArbitrationOptions
    values: ProductValues
    unavailable: Unavailable | None
    levers: Levers
    now: datetime | None
    filters: AccountFilters | None
    fields: Sequence[Sequence[str]]
    unknown_products: Sequence[Sequence[str]]
    attributes: ProductAttributes
    includes_owned: bool = False
    policies: AccountPolicies | None = None
    switched_off: frozenset[str] = NO_SWITCHES

    @property
    def n_accounts(self) -> int:
        """How many accounts are decided for."""
        return len(self.account_rows)

    @property
    def is_control(self) -> NDArray[np.bool_]:
        """Bool (n,), which accounts are decided without levers this quarter (UTC), to measure what levers bring.

        It follows from account and quarter alone: the same on every worker, and after a restart.
        """
        share = self.options.control_share
        if not share or self.now is None:
            return np.zeros(self.n_accounts, dtype=np.bool_)
        quarter = crc32(b"%d-Q%d" % (self.now.year, (self.now.month + 2) // 3))
        drawn = [crc32((account_id or "").encode(), quarter) / 2**32 < share for account_id in self.account_ids]
        return np.array(drawn, dtype=np.bool_)

    @property
    def n_products(self) -> int:
        """How many products the artifact has."""
        return len(self.products.is_active)

    def keys(self, accounts: NDArray[np.int64], products: NDArray[np.int32]) -> NDArray[Any]:
        """Return one number for each pair of an account's place and a product row."""
        return products if len(self.account_rows) == 1 else accounts * self.n_products + products

    def leading(self, pairs: AccountProducts) -> AccountProducts:
        """Leave out products that may be no reason for an offer: those that are no longer sold, and fees."""
        if pairs.is_empty:
            return pairs
        is_leading = self.products.is_offerable[pairs.product]
        if is_leading.all():
            return pairs
        return AccountProducts(pairs.account[is_leading], pairs.product[is_leading], pairs.keys[is_leading])

    def only(self, accounts: NDArray[np.int64]) -> "Facts":
        """Return the facts of some of the accounts. accounts: int64, ascending places."""
        number = np.full(self.n_accounts, NO_ROW, dtype=np.int64)
        number[accounts] = np.arange(len(accounts))

        def kept(pairs: AccountProducts) -> AccountProducts:
            account = number[pairs.account]
            account, product = account[account != NO_ROW], pairs.product[account != NO_ROW]
            return AccountProducts(account, product, account * self.n_products + product)

        def kept_related(related: RelatedProducts) -> RelatedProducts:
            is_kept = number[related.pairs.account] != NO_ROW
            return RelatedProducts(kept(related.pairs), *(column[is_kept] for column in related[1:]))

        n_groups = max(self.products.n_variant_groups, 1)
        place, group = np.divmod(self.variants_elsewhere, n_groups)
        elsewhere = number[place] * n_groups + group
        return self._replace(
            variants_elsewhere=elsewhere[number[place] != NO_ROW],
            account_ids=[self.account_ids[place] for place in accounts.tolist()],
            account_rows=self.account_rows[accounts],
            is_known=[self.is_known[place] for place in accounts.tolist()],
            is_changed=[self.is_changed[place] for place in accounts.tolist()],
            is_objecting=self.is_objecting[accounts],
            owned=kept(self.owned),
            recent=kept(self.recent),
            basket=kept(self.basket),
            excluded=kept(self.excluded),
            among=kept(self.among),
            has_among=self.has_among[accounts],
            is_prioritised=self.is_prioritised[accounts],
            explains_all=[self.explains_all[place] for place in accounts.tolist()],
            returned=kept(self.returned),
            negotiated=kept(self.negotiated),
            lost=kept(self.lost),
            had=kept(self.had),
            limits=self.limits[accounts],
            tie_seeds=self.tie_seeds[accounts],
            filters=None if self.filters is None else self.filters.only(accounts, kept_related(self.filters.related)),
            policies=None if self.policies is None else self.policies.only(accounts),
            fields=[self.fields[place] for place in accounts.tolist()],
            unknown_products=[self.unknown_products[place] for place in accounts.tolist()],
        )


def gather(
    state: LiveState,
    requests: Sequence[OfferRequest],
    options: ArbitrationOptions = DEFAULT_OPTIONS,
    *,
    now: datetime | None = None,
    policies: ActivePolicies | None = None,
    includes_owned: bool = False,
) -> Facts:
    """Look up everything that some requests name, each for one account or for nobody in particular.

    What happened since the artifact stands in place of what the artifact says.
    now: the only clock of a decision; without it, everything can be had, and policies of all times apply.
    policies: in place of those of the state.
    """
    active = policies or state.part(ActivePolicies)
    content, catalogue = state.content, state.part(CatalogueView)
    products, by_account, objections = catalogue.products, state.part(Ownership).by_account, state.part(Objections)
    n_products = len(products.is_active)
    rows: list[int] = []
    is_known: list[bool] = []
    is_changed: list[bool] = []
    owned: list[NDArray[np.int32]] = []
    recent: list[NDArray[np.int32]] = []
    elsewhere: list[Iterable[str]] = []
    for request in requests:
        account_id = request.account_id
        row = live = None
        if account_id is not None:
            row, live = content.account_ids.row_of(account_id), by_account.get(account_id)
        rows.append(NO_ROW if row is None else row)
        is_known.append(row is not None or live is not None)
        is_changed.append(live is not None)
        if products.n_variant_groups:
            elsewhere.append((*request.basket, *(live.others if live is not None else ())))
        recent.append(NO_PRODUCTS if live is None else live.recent)
        if live is not None:
            owned.append(live.owned)
        else:
            owned.append(NO_PRODUCTS if row is None else content.owned_by(row))
    owned_products = had = AccountProducts.from_rows(owned, n_products)
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
        account_rows=np.array(rows, dtype=np.int64),
        is_known=is_known,
        is_changed=is_changed,
        is_objecting=np.array([request.account_id in objections.accounts for request in requests], dtype=np.bool_),
        owned=owned_products,
        recent=AccountProducts.from_rows(recent, n_products),
        basket=in_basket,
        excluded=_named(products, [request.exclude for request in requests]),
        among=_named(products, [request.among for request in requests]),
        has_among=np.array([bool(request.among) for request in requests], dtype=np.bool_),
        is_prioritised=_prioritised(content, options, in_basket, len(requests), includes_owned=includes_owned),
        explains_all=[request.explains_all for request in requests],
        returned=_returned(state, requests, n_products),
        negotiated=negotiated,
        lost=lost,
        had=had,
        filters=gather_filters(catalogue, requests, owned_products, in_basket),
        fields=[request.fields for request in requests],
        unknown_products=_unknown_products(products, requests),
        attributes=catalogue.attributes,
        variants_elsewhere=_variants_elsewhere(products, elsewhere) if elsewhere else NO_KEYS,
        tie_seeds=np.array([crc32((request.account_id or "").encode()) for request in requests], dtype=np.uint64),
        limits=np.array([request.limit for request in requests], dtype=np.int64),
        options=options,
        levers=state.part(Levers),
        now=now,
        unavailable=None if now is None else state.part(Availability).unavailable_at(now),
        values=catalogue.values(options.margin_rate, options.max_value_ratio),
        includes_owned=includes_owned,
        policies=active.withheld_from(requests, rows, now),
        switched_off=active.switched_off,
    )


def _prioritised(
    content: Content, options: ArbitrationOptions, basket: AccountProducts, n_accounts: int, *, includes_owned: bool
) -> NDArray[np.bool_]:
    """Tell which accounts' candidates are ranked by propensity.

    What completes a basket has one of its own, where enough orders taught it.
    """
    is_known = content.propensities.has_any and not includes_owned
    prioritised = np.full(n_accounts, is_known and options.strategy is not Strategy.RELEVANCE)
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
