"""What decisions rest on: gathered once, from memory, then never changed: see ``gathering``."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_ROW, Content
from service.base.arbitration_options import ArbitrationOptions
from service.offers.account_products import NO_PAIRS, AccountProducts
from service.offers.filters import AccountFilters, RelatedProducts
from service.offers.repeats import Repeats
from service.readmodel.account_policies import AccountPolicies
from service.readmodel.availability import Availability, Unavailable
from service.readmodel.levers import Levers
from service.readmodel.pair_evidence import EvidenceIndex
from service.readmodel.product_attributes import ProductAttributes
from service.readmodel.product_index import ProductIndex
from service.readmodel.product_values import ProductValues
from service.readmodel.relationships import RelationshipIndex


class Facts(NamedTuple):
    """What is known of n accounts and of what is asked for each, in the artifact's rows. Unknown identifiers are gone.

    products, relationships, attributes, evidence: the catalogue as it was when the facts were gathered: immutable.
    account_ids:      of each account; None for nobody in particular.
    account_rows:     int64 (n,), the artifact's row of each account; NO_ROW for one that it does not know, or nobody.
    is_known:         whether the artifact or the live state knows each account.
    is_objecting:     bool (n,), whether each account objects to marketing.
    owned:            the products that each account owns.
    owned_above:      what accounts above each account own; nothing unless that counts.
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
    options:          how candidates compete. first_upgrades: bool (P,), which upgrades go first; None for all.
    values:           what each product is worth.
    unavailable:      what can't be had now; None where everything can. availability: until when what can be had can.
    valid_until:      when offers cease to be good; None where no time counts.
    levers:           what goals and weights multiply priorities by. now: when it is decided; None where no time counts.
    repeats:          what accounts own and may be offered again, now or later; None where there is nothing of it.
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
    first_upgrades: NDArray[np.bool_] | None
    values: ProductValues
    unavailable: Unavailable | None
    availability: Availability
    valid_until: datetime | None
    levers: Levers
    now: datetime | None
    filters: AccountFilters | None
    fields: Sequence[Sequence[str]]
    unknown_products: Sequence[Sequence[str]]
    attributes: ProductAttributes
    repeats: Repeats | None = None
    policies: AccountPolicies | None = None
    switched_off: frozenset[str] = frozenset()
    owned_above: AccountProducts = NO_PAIRS

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
        return pairs.select(is_leading)

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

        def kept_repeats(repeats: Repeats | None) -> Repeats | None:
            if repeats is None or not (is_kept := number[repeats.pairs.account] != NO_ROW).any():
                return None
            return repeats.select(is_kept, kept(repeats.pairs))

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
            owned_above=kept(self.owned_above),
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
            repeats=kept_repeats(self.repeats),
            fields=[self.fields[place] for place in accounts.tolist()],
            unknown_products=[self.unknown_products[place] for place in accounts.tolist()],
        )
