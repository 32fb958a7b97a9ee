"""Which products can be had now: not before or after their time, and not when they are sold out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from service.readmodel.live_state import LiveState
from service.readmodel.product_index import ProductRow


class ProductAvailability(NamedTuple):
    """When a product can be had, and how many of it; None where that is not bounded, or not known."""

    available_from: datetime | None = None
    available_until: datetime | None = None
    stock: float | None = None

    def is_in_time(self, now: datetime) -> bool:
        """Tell whether it can be had now, as far as its dates say. It ends just before ``available_until``."""
        has_begun = self.available_from is None or self.available_from <= now
        return has_begun and (self.available_until is None or now < self.available_until)

    @property
    def is_sold_out(self) -> bool:
        """Tell whether nothing of it is left."""
        return self.stock is not None and self.stock <= 0


ALWAYS: Final = ProductAvailability()


@dataclass(frozen=True)
class Unavailable:
    """Products that can't be had, bool (P,) each. begins, ends: for which times it holds, the end not included."""

    is_sold_out: NDArray[np.bool_]
    is_out_of_time: NDArray[np.bool_]
    begins: datetime | None
    ends: datetime | None

    def holds_at(self, now: datetime) -> bool:
        """Tell whether nothing begins or ends between the time that it was worked out for and this one."""
        return (self.begins is None or self.begins <= now) and (self.ends is None or now < self.ends)


class Availability:
    """The availability of an artifact's products. A change puts another one in its place."""

    def __init__(self, n_products: int, bounded: Mapping[ProductRow, ProductAvailability]) -> None:
        self._n_products = n_products
        self._bounded = dict(bounded)
        self._worked_out: Unavailable | None = None

    @classmethod
    def empty(cls, state: LiveState) -> Self:
        """See ``LivePart``."""
        return cls(len(state.content.products.ids), {})

    def with_changes(self, changed: Mapping[ProductRow, ProductAvailability]) -> "Availability":
        """Return another one, in which some products are as given."""
        merged = {**self._bounded, **changed}
        bounded = {row: availability for row, availability in merged.items() if availability != ALWAYS}
        return Availability(self._n_products, bounded)

    def until_of(self, row: ProductRow, latest: datetime) -> datetime:
        """Return until when a product can be had, and no later than ``latest``."""
        bounded = self._bounded.get(row)
        ends = None if bounded is None else bounded.available_until
        return latest if ends is None else min(ends, latest)

    def unavailable_at(self, now: datetime) -> Unavailable | None:
        """Return what can't be had at a time; None where everything can always be had."""
        if not self._bounded:
            return None
        worked_out = self._worked_out
        if worked_out is None or not worked_out.holds_at(now):
            worked_out = self._worked_out = self._work_out(now)
        return worked_out

    def _work_out(self, now: datetime) -> Unavailable:
        is_sold_out, is_out_of_time = (np.zeros(self._n_products, dtype=np.bool_) for _ in range(2))
        limits: list[datetime] = []
        for row, availability in self._bounded.items():
            is_sold_out[row] = availability.is_sold_out
            is_out_of_time[row] = not availability.is_in_time(now)
            limits += [limit for limit in availability[:2] if isinstance(limit, datetime)]
        begins = max((limit for limit in limits if limit <= now), default=None)
        return Unavailable(is_sold_out, is_out_of_time, begins, min((x for x in limits if x > now), default=None))
