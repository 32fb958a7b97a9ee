"""Which products may be bought again, and after how many days, as policies of operators say."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.artifact import Repurchases
from service.readmodel.in_force import InForce
from service.readmodel.policies import PolicyScope
from service.readmodel.product_columns import ProductColumns


class RepurchaseMode(StrEnum):
    """Whether an account may buy a product again."""

    DURABLE = "durable"
    CONSUMABLE = "consumable"
    UNLIMITED = "unlimited"


NO_MODE: Final = -1
"""No policy is about the product: it is durable, unless a request asks for owned products."""
DURABLE, CONSUMABLE, UNLIMITED = range(3)
"""Modes as numbers: positions in ``RepurchaseMode``."""
_PRECEDENCE: Final = ("products", "categories", "lines", None)
"""Kinds of scopes, the most specific first; None is all products."""


@dataclass(frozen=True)
class RepurchasePolicy(InForce):
    """A policy that is switched on.

    after_days: days from a purchase of a consumable until it may be offered again; None for the learned interval.
    """

    id: str
    mode: RepurchaseMode
    after_days: int | None = None
    scope: PolicyScope | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None


class ProductRepurchases(NamedTuple):
    """What holds of each product at a time.

    mode: int8 (P,), NO_MODE, DURABLE, CONSUMABLE or UNLIMITED. A consumable whose interval is neither given nor learned
          is DURABLE.
    wait_days: int32 (P,), full days from a purchase of a consumable until it may be offered again; 0 for others.
    has_repeats: whether any product is consumable or unlimited.
    """

    mode: NDArray[np.int8]
    wait_days: NDArray[np.int32]
    has_repeats: bool


class RepurchasePolicies:
    """Policies over one version of the catalogue. A change of either makes another object."""

    def __init__(self, policies: Sequence[RepurchasePolicy], columns: ProductColumns, learned: Repurchases) -> None:
        kinds = {policy.id: None if policy.scope is None else policy.scope.kind for policy in policies}
        # The last one that is applied counts: the most specific, and of equally specific ones the first by identifier.
        self.policies = sorted(policies, key=lambda each: (_PRECEDENCE.index(kinds[each.id]), each.id), reverse=True)
        self._rows = [columns.in_scope(policy.scope).nonzero()[0].astype(np.int32) for policy in self.policies]
        self._n_products = columns.n
        self._interval_days = learned.interval_days
        bounds = {bound for each in policies for bound in (each.valid_from, each.valid_until) if bound is not None}
        self._bounds = sorted(bounds)
        self._in_force: dict[int | None, ProductRepurchases] = {}

    def in_force(self, now: datetime | None) -> ProductRepurchases:
        """Return what holds at a time; without one, of policies of all times. Worked out once for each period."""
        period = None if now is None else bisect_right(self._bounds, now)
        if period not in self._in_force:
            self._in_force[period] = self._resolve(now)
        return self._in_force[period]

    def _resolve(self, now: datetime | None) -> ProductRepurchases:
        mode = np.full(self._n_products, NO_MODE, dtype=np.int8)
        wait_days = np.zeros(self._n_products, dtype=np.int32)
        for policy, rows in zip(self.policies, self._rows, strict=True):
            if now is None or policy.is_in_force(now):
                mode[rows], wait_days[rows] = self._mode_and_wait(policy, rows)
        return ProductRepurchases(mode, wait_days, bool((mode > DURABLE).any()))

    def _mode_and_wait(
        self, policy: RepurchasePolicy, rows: NDArray[np.int32]
    ) -> tuple[NDArray[np.int8], NDArray[np.int32]]:
        modes = np.full(len(rows), list(RepurchaseMode).index(policy.mode), dtype=np.int8)
        waits = np.zeros(len(rows), dtype=np.int32)
        if policy.mode is RepurchaseMode.CONSUMABLE and policy.after_days is not None:
            waits[:] = policy.after_days
        elif policy.mode is RepurchaseMode.CONSUMABLE:
            interval = self._interval_days[rows]
            is_known = np.isfinite(interval)
            modes[~is_known] = DURABLE
            waits[is_known] = np.ceil(interval[is_known]).astype(np.int32)
        return modes, waits
