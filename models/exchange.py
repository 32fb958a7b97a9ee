"""Exchange rates, and the conversion of amounts into one reporting currency, for training and for the service."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.currencies import USUAL_DIGITS, minor_digits

UNNAMED: Final = ""
"""The currency of an amount that names none."""
MAX_MINOR: Final = 10**15
_NEVER: Final = np.iinfo(np.int64).min

RateRow = tuple[str, str, int, float]
"""base currency, quote currency, first day on which it is valid (since 1970), rate"""


@dataclass(frozen=True)
class _Series:
    """The rate between two currencies over time. day: int64 (T,), ascending, distinct. rate: float64 (T,)."""

    day: NDArray[np.int64]
    rate: NDArray[np.float64]

    def look_up(self, days: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The last rate on or before each day, and since when it is valid: NaN and _NEVER where there is none."""
        if not len(self.day):
            return np.full(len(days), np.nan), np.full(len(days), _NEVER)
        place = self.day.searchsorted(days, side="right") - 1
        has_rate = place >= 0
        return np.where(has_rate, self.rate[place], np.nan), np.where(has_rate, self.day[place], _NEVER)


@dataclass(frozen=True)
class ExchangeRates:
    """R dated rates: one unit of a base currency is worth ``rate`` units of the quote currency from a day on.

    base, quote: object (R,) of str, codes. day: int64 (R,), since 1970. rate: float64 (R,), above 0, between
    major units. No two rows have the same base, quote and day.
    """

    base: NDArray[np.object_]
    quote: NDArray[np.object_]
    day: NDArray[np.int64]
    rate: NDArray[np.float64]

    @classmethod
    def from_rows(cls, rows: Iterable[RateRow]) -> "ExchangeRates":
        """Collect rates."""
        base, quote, day, rate = zip(*rows, strict=True) if (rows := list(rows)) else ((), (), (), ())
        return cls(
            np.array(base, dtype=object),
            np.array(quote, dtype=object),
            np.array(day, dtype=np.int64),
            np.array(rate, dtype=np.float64),
        )

    @cached_property
    def currencies(self) -> list[str]:
        """Every currency that has a rate, in alphabetical order."""
        return sorted({*self.base.tolist(), *self.quote.tolist()})

    def between(self, source: str, target: str, days: NDArray[np.int64]) -> NDArray[np.float64]:
        """Units of ``target`` for one unit of ``source`` on each day; NaN where no rate is valid.

        days: int64 (n,). The last rate on or before the day counts, of either direction: the inverse of a rate serves
        as well as the rate. Where the two currencies have none, they are converted through one common currency: the
        one whose older rate of the two is the latest, the first by name of equal ones.
        """
        if source == target:
            return np.ones(len(days))
        distinct, place = np.unique(days, return_inverse=True)
        rate, _ = self._series(source, target).look_up(distinct)
        if np.isnan(rate).any():
            rate = np.where(np.isnan(rate), self._through_another(source, target, distinct), rate)
        return np.asarray(rate[place])

    def _through_another(self, source: str, target: str, days: NDArray[np.int64]) -> NDArray[np.float64]:
        best, since = np.full(len(days), np.nan), np.full(len(days), _NEVER)
        for common in self.currencies:
            if common in (source, target):
                continue
            (first, first_day), (second, second_day) = (
                self._series(*pair).look_up(days) for pair in ((source, common), (common, target))
            )
            older = np.minimum(first_day, second_day)
            is_better = older > since
            best, since = np.where(is_better, first * second, best), np.maximum(older, since)
        return best

    def _series(self, source: str, target: str) -> _Series:
        """The rates of a pair and the inverse ones of the reversed pair; of one day, the former count."""
        is_direct = (self.base == source) & (self.quote == target)
        is_inverse = (self.base == target) & (self.quote == source)
        rows = np.concatenate([np.flatnonzero(is_inverse), np.flatnonzero(is_direct)])
        rate = np.where(is_direct[rows], self.rate[rows], 1 / self.rate[rows])
        order = np.argsort(self.day[rows], kind="stable")
        day, rate = self.day[rows][order], rate[order]
        is_last = np.append(day[1:] != day[:-1], True)[: len(day)]
        return _Series(day[is_last], rate[is_last])


NO_RATES: Final = ExchangeRates.from_rows(())


@dataclass(frozen=True)
class CurrencyLines:
    """How many order lines are in a currency, and how many of them could not be converted."""

    currency: str
    lines: int
    unconverted: int


@dataclass(frozen=True)
class Exchange:
    """How amounts become amounts of the reporting currency.

    reporting: its code; UNNAMED where neither the history nor the catalogue names a currency.
    unnamed:   the currency that amounts without one are taken to be in; None where they can't be converted.
    """

    reporting: str = UNNAMED
    unnamed: str | None = UNNAMED
    rates: ExchangeRates = field(default=NO_RATES)

    def minor_factors(self, currency: str, days: NDArray[np.int64]) -> NDArray[np.float64]:
        """Minor units of the reporting currency for one minor unit of another on each day; NaN where unknown."""
        source = self.unnamed if currency == UNNAMED else currency
        if source is None:
            return np.full(len(days), np.nan)
        digits = minor_digits(self.reporting) - minor_digits(source)
        return self.rates.between(source, self.reporting, days) * 10.0**digits

    def convert(
        self,
        amounts: NDArray[np.int64],
        codes: NDArray[np.integer[Any]],
        currencies: Sequence[str],
        days: NDArray[np.int64],
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Convert amounts, each at the rate of its own day, rounded half to even.

        amounts: int64 (n,), minor units. codes: (n,), positions in ``currencies``. days: int64 (n,), since 1970.
        Returns int64 (n,), 0 where an amount can't be converted, and bool (n,), where it was.
        """
        converted, is_converted = amounts.copy(), np.ones(len(amounts), dtype=np.bool_)
        for code, currency in enumerate(currencies):
            if (self.unnamed if currency == UNNAMED else currency) == self.reporting:
                continue
            which = np.flatnonzero(codes == code)
            exact = amounts[which] * self.minor_factors(currency, days[which])
            is_known = np.abs(exact) <= MAX_MINOR
            converted[which] = np.where(is_known, np.rint(exact), 0).astype(np.int64)
            is_converted[which] = is_known
        return converted, is_converted

    def convert_on(
        self, amounts: NDArray[np.int64], currencies: Sequence[str], day: int, missing: int
    ) -> NDArray[np.int64]:
        """Convert prices, all at the rates of one day. amounts: int64 (n,), ``missing`` where there is none."""
        names = sorted(set(currencies))
        code_of = {name: code for code, name in enumerate(names)}
        codes = np.array([code_of[name] for name in currencies], dtype=np.int64)
        is_given = amounts != missing
        days = np.full(len(amounts), day, dtype=np.int64)
        converted, is_converted = self.convert(np.where(is_given, amounts, 0), codes, names, days)
        return np.where(is_given & is_converted, converted, missing)

    def factors_on(self, day: int, currencies: Iterable[str]) -> dict[str, float]:
        """By currency, the minor units of the reporting currency for one of its own on a day, where that is known."""
        known = sorted({*currencies, *self.rates.currencies, self.reporting, UNNAMED})
        factors = {name: float(self.minor_factors(name, np.array([day]))[0]) for name in known}
        return {name: factor for name, factor in factors.items() if np.isfinite(factor)}


@dataclass(frozen=True)
class ExchangeOptions:
    """What is asked of a history's money. reporting: by default the currency of most order lines."""

    reporting: str | None = None
    rates: ExchangeRates = field(default=NO_RATES)


def choose_exchange(
    options: ExchangeOptions, line_counts: Mapping[str, int], product_counts: Mapping[str, int]
) -> Exchange:
    """Choose the reporting currency, and what amounts without a currency are taken to be in.

    line_counts, product_counts: order lines and products by currency, UNNAMED among them. Where no line names a
    currency, that of most products is reported.
    Amounts without a currency are in the only one that order lines name, or, if none does, in the reporting one; where
    lines name several, they can't be converted. They were stored with two digits, so that they are not in a currency
    with another number of them either.
    """
    named = {name: n for name, n in line_counts.items() if name != UNNAMED}
    priced = {name: n for name, n in product_counts.items() if name != UNNAMED}
    reporting = options.reporting or _most(named) or _most(priced)
    unnamed = reporting if not named else next(iter(named)) if len(named) == 1 else None
    if unnamed is not None and minor_digits(unnamed) != USUAL_DIGITS:
        unnamed = None
    return Exchange(reporting, unnamed, options.rates)


def _most(counts: Mapping[str, int]) -> str:
    return min(counts, key=lambda name: (-counts[name], name), default=UNNAMED)
