"""What happened since one artifact, in that artifact's rows: in memory, per account."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from models.artifact import Content
from models.artifact.segments import read_segment_report
from service.readmodel.account_cache import AccountCache
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.deals import OpenDeal
from service.readmodel.product_index import ProductIndex, ProductInfo
from service.readmodel.relationship_overlay import CuratedRelationship
from service.readmodel.relationships import RelationshipIndex
from service.readmodel.segment_membership import SegmentMembership

MAX_RECENT = 50
NO_PRODUCTS = np.empty(0, dtype=np.int32)


@dataclass(frozen=True, slots=True)
class AccountState:
    """What one account owns now, in place of what the artifact says.

    owned:  int32, product rows, ascending. Products that the artifact does not know stand in ``others``.
    recent: int32, for an account that the artifact has no candidates for, the products bought last, ascending rows.
    """

    owned: NDArray[np.int32]
    recent: NDArray[np.int32]
    others: frozenset[str] = frozenset()


class LiveState:
    """One writer, many readers: each of the methods replaces whole entries, so that a reader sees one or the other.

    accounts:  accounts whose orders changed since the artifact.
    objecting: every account that objects to marketing, whenever it did: an artifact knows nothing of it.
    pipeline:  the open deals of every account that has any: an artifact knows nothing of them.
    declined:  when every account that ever let a deal be lost did so last.
    stored:    what the database says of accounts that were asked for, until it changes.
    membership: who is in the segments that people defined.
    sequence:  the newest change that is in here.
    is_history_whole: whether the database holds all that the artifact was trained on, so that its word alone counts.
               An artifact trained on files knows of purchases that the database may not have.
    """

    def __init__(self, content: Content, sequence: int, *, is_history_whole: bool = True) -> None:
        self.content = content
        self.products = ProductIndex(content)
        self.relationships = RelationshipIndex.of(content)
        self.accounts: dict[str, AccountState] = {}
        self.objecting: set[str] = set()
        self.pipeline: dict[str, tuple[OpenDeal, ...]] = {}
        self.declined: dict[str, datetime] = {}
        self.stored: AccountCache = AccountCache()
        self.sequence = sequence
        as_of_day = read_segment_report(content.segments).get("as_of_day", 0)
        self.membership = SegmentMembership(content, as_of_day, self.accounts)
        self._is_history_whole = is_history_whole

    @property
    def catalogue(self) -> CatalogueView:
        """The catalogue as it is now."""
        return CatalogueView(self.products, self.relationships)

    def set_owned(self, account_id: str, owned: Iterable[str], returned: Iterable[str] = ()) -> None:
        """Note what an account owns now, those bought last first, and what it bought once and owns no more."""
        learned = self._learned(account_id)
        named = list(owned)
        found = list(map(self.products.row_of, named))
        rows = [row for row in found if row is not None]
        others = frozenset(of for of, row in zip(named, found, strict=True) if row is None)
        recent = NO_PRODUCTS if len(learned) else np.array(sorted(rows[:MAX_RECENT]), dtype=np.int32)
        if not self._is_history_whole:
            rows += set(learned.tolist()).difference(rows, map(self.products.row_of, returned))
        self.accounts[account_id] = AccountState(np.array(sorted(rows), dtype=np.int32), recent, others)

    def set_objecting(self, account_ids: Sequence[str], objecting: set[str]) -> None:
        """Note which of some accounts object to marketing now."""
        self.objecting |= objecting
        self.objecting.difference_update(set(account_ids) - objecting)

    def set_declined(self, account_ids: Sequence[str], declined: Mapping[str, datetime]) -> None:
        """Note when some accounts let a deal be lost last."""
        self.declined.update(declined)
        for account_id in set(account_ids) - declined.keys():
            self.declined.pop(account_id, None)

    def knows(self, account_id: str) -> bool:
        """Tell whether anything is known of an account since the artifact."""
        known = (self.accounts, self.objecting, self.pipeline, self.declined, self.membership.newcomers)
        return any(account_id in of for of in known)

    def set_pipeline(self, account_ids: Sequence[str], pipeline: Mapping[str, tuple[OpenDeal, ...]]) -> None:
        """Note the open deals of some accounts now: all that each has."""
        self.pipeline.update(pipeline)
        for account_id in set(account_ids) - pipeline.keys():
            self.pipeline.pop(account_id, None)

    def set_products(self, infos: Mapping[str, ProductInfo]) -> None:
        """Note what is known of some products now. Those that the artifact does not know are passed over."""
        rows = {
            row: info for product_id, info in infos.items() if (row := self.products.row_of(product_id)) is not None
        }
        if rows:
            self.products = self.products.with_changes(rows)

    def set_relationships(self, curated: Mapping[str, Mapping[str, CuratedRelationship]]) -> None:
        """Note all curated relationships of some source products, by source and target."""
        rows: dict[int, dict[int, CuratedRelationship]] = {
            source: {
                row: decided for target, decided in targets.items() if (row := self.products.row_of(target)) is not None
            }
            for source_id, targets in curated.items()
            if (source := self.products.row_of(source_id)) is not None
        }
        if rows:
            self.relationships = self.relationships.with_curated(rows)

    def _learned(self, account_id: str) -> NDArray[np.int32]:
        """What the artifact says that the account owns. If that is anything, it has candidates for it, too."""
        content = self.content
        row = content.account_ids.row_of(account_id)
        return NO_PRODUCTS if row is None else content.owned_by(row)
