"""What the features count, counted again line by line: slow, plain, and without arrays."""

from collections import defaultdict
from functools import cached_property
from itertools import combinations
from math import erfc, log, sqrt
from statistics import fmean, median

from tests.models.propensity.samples import AS_OF, DAY, HORIZON_DAYS, OrderLine, Shop

RECENT_DAYS = HORIZON_DAYS / 3


class Counted:
    """A shop's history before a snapshot; ages are in days."""

    def __init__(self, shop: Shop, as_of: int = AS_OF) -> None:
        self.shop, self.as_of = shop, as_of
        self.past = [line for line in shop.lines if line.time < as_of]
        self.bought: list[tuple[str, OrderLine]] = [
            (line.account, line) for line in self.past if line.account is not None and line.quantity > 0
        ]
        self.buyers = {account for account, _ in self.bought}

    def age(self, line: OrderLine) -> float:
        return (self.as_of - line.time) / DAY

    def age_of_day(self, line: OrderLine) -> float:
        return self.as_of / DAY - line.time // DAY

    @cached_property
    def first_ages(self) -> dict[tuple[str, str], float]:
        ages: dict[tuple[str, str], float] = {}
        for account, line in self.bought:
            key = account, line.product
            ages[key] = max(ages.get(key, 0.0), self.age_of_day(line))
        return ages

    @cached_property
    def owned(self) -> dict[str, set[str]]:
        net: dict[tuple[str, str], float] = defaultdict(float)
        for line in self.past:
            if line.account is not None:
                net[line.account, line.product] += line.quantity
        owned: dict[str, set[str]] = defaultdict(set)
        for (account, product), quantity in net.items():
            if quantity > 0:
                owned[account].add(product)
        return owned

    @cached_property
    def prices(self) -> dict[str, float]:
        prices = {}
        for product, (_, price) in self.shop.products.items():
            paid = [line.amount / line.quantity for line in self.past if self._has_price(line, product)]
            if price is not None:
                prices[product] = float(price)
            elif paid:
                prices[product] = median(paid)
        return prices

    @staticmethod
    def _has_price(line: OrderLine, product: str) -> bool:
        return line.product == product and line.quantity > 0 and line.amount > 0

    def usual_price(self, account: str) -> float:
        """Mean logarithm of the prices of an account's lines, or of all lines."""
        prices = [(buyer, log(self.prices[line.product])) for buyer, line in self.bought if line.product in self.prices]
        own = [price for buyer, price in prices if buyer == account]
        return fmean(own or [price for _, price in prices])

    def days(self, account: str) -> list[float]:
        """How long ago each day was on which it bought."""
        return sorted({self.age_of_day(line) for buyer, line in self.bought if buyer == account})

    @cached_property
    def leads(self) -> dict[tuple[str, str], float]:
        """Product and what goes with it in baskets beyond chance (Benjamini-Hochberg), both ways: confidence added."""
        baskets: dict[str, set[str]] = defaultdict(set)
        for line in self.past:
            if line.quantity > 0:
                baskets[line.order].add(line.product)
        held: dict[str, int] = defaultdict(int)
        together: dict[tuple[str, str], int] = defaultdict(int)
        n = len(baskets)
        for basket in baskets.values():
            for product in basket:
                held[product] += 1
            for pair in combinations(sorted(basket), 2):
                together[pair] += 1
        n_tests = len(held) * (len(held) - 1) // 2
        p = {pair: _chance(ab, held[pair[0]], held[pair[1]], n) for pair, ab in together.items() if ab >= 5}
        ranked = sorted(p.values())
        passing = [value for rank, value in enumerate(ranked, 1) if value <= 0.01 * rank / n_tests]
        strengths = {}
        for (first, second), value in p.items():
            if passing and value <= passing[-1]:
                strengths[first, second] = together[first, second] / held[first] - held[second] / n
                strengths[second, first] = together[first, second] / held[second] - held[first] / n
        return strengths


def _chance(ab: int, a: int, b: int, n: int) -> float:
    """One-sided p of Dunning's log-likelihood ratio."""
    if ab * n <= a * b:
        return 1.0
    cells = (
        (ab, a * b / n),
        (a - ab, a * (n - b) / n),
        (b - ab, (n - a) * b / n),
        (n - a - b + ab, (n - a) * (n - b) / n),
    )
    ratio = 2 * sum(seen * log(seen / usual) for seen, usual in cells if seen)
    return erfc(sqrt(ratio / 2)) / 2
