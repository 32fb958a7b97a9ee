"""Every hyperparameter, named once, and the blend's weights."""

from dataclasses import asdict, dataclass

ROUNDING = 1e-5
"""By how much the weights may differ from 1 together: each is rounded to six decimals."""


@dataclass(frozen=True)
class BlendWeights:
    """How much each ranker's normalised score counts; non-negative, together 1."""

    als: float = 0.3
    affinity: float = 0.65
    popularity: float = 0.05
    similar_accounts: float = 0.0
    extra_scores: float = 0.0

    def __post_init__(self) -> None:
        values = self.as_shares()
        if min(values) < 0 or abs(sum(values) - 1) > ROUNDING:
            raise ValueError(f"blend weights are non-negative and together 1, not {values}")

    def as_shares(self) -> tuple[float, float, float, float, float]:
        """In the order of the rankers: ALS, affinity, popularity, similar accounts, extra scores."""
        return self.als, self.affinity, self.popularity, self.similar_accounts, self.extra_scores

    def with_similar_accounts(self, share: float) -> "BlendWeights":
        """Give similar accounts a share, and the others the rest in their proportions."""
        als, affinity, popularity = (round(weight * (1 - share), 6) for weight in self.as_shares()[:3])
        return BlendWeights(als, affinity, popularity, share)

    def with_extra_scores(self, share: float) -> "BlendWeights":
        """Give extra scores a share, and the others the rest in their proportions."""
        als, affinity, popularity, similar = (round(weight * (1 - share), 6) for weight in self.as_shares()[:4])
        return BlendWeights(als, affinity, popularity, similar, share)

    def to_json(self, *, has_extra_scores: bool) -> dict[str, float]:
        """Return the weights by name, that of extra scores only where there are any."""
        weights = asdict(self)
        return weights if has_extra_scores else {name: weights[name] for name in weights if name != "extra_scores"}


@dataclass(frozen=True)
class PairExponents:
    """How much each figure of a pair of products counts: a basket's strength for a target is ``prod_f figure_f^e_f``.

    together, source, target: of the weights of the orders with both products, with the source, and with the target.
    regression: of the target's regression weight on the source.
    The defaults lie between those learned on the validation windows of two data sets.
    """

    together: float = 1.15
    source: float = -0.85
    target: float = -0.35
    regression: float = 0.6

    def as_tuple(self) -> tuple[float, float, float, float]:
        """In the order of the figures in ``ProductPairs.features``."""
        return self.together, self.source, self.target, self.regression


@dataclass(frozen=True)
class RankingParameters:
    """What the rankers learn with. The defaults were chosen on validation windows, never on a reported one.

    embedding_size, regularization, alpha, seed: of ALS, with the paper's confidence 1 + alpha * strength.
    iterations:                 of ALS in all: half on the earliest window, then a quarter on each longer one, which
                                starts from the factors before it.
    half_life_days:             an order's strength halves in this time.
    popularity_half_life_days:  the same for popularity, which changes faster.
    account_discount:           in co-purchases a busy account counts as its strength to the power of minus this.
    product_discount:           and a popular product likewise, on either side of the pair.
    min_support:                no product or account is discounted as if it had less strength than this.
    basket_half_life_days:      an order's weight halves in this time where neighbours are learned from orders.
    basket_regularization, basket_discount: of the regression between products; a large order counts as its size to
                                the power of minus the discount.
    basket_pair_discount:       the same for co-purchases.
    dense_products:             up to so many products in orders, all are regressed on each other.
    regressed_products:         beyond that, so many of the most frequent ones, since the cost grows with the cube.
    """

    embedding_size: int = 128
    regularization: float = 20.0
    iterations: int = 30
    alpha: float = 10.0
    seed: int = 0
    half_life_days: float = 45.0
    popularity_half_life_days: float = 21.0
    account_discount: float = 0.75
    product_discount: float = 0.5
    min_support: float = 0.5
    basket_regularization: float = 10.0
    basket_half_life_days: float = 180.0
    basket_discount: float = 0.25
    basket_pair_discount: float = 0.5
    dense_products: int = 6_000
    regressed_products: int = 4_000

    def iterations_of_fit(self, *, is_warm: bool) -> int:
        """How many iterations one fit has."""
        return max(self.iterations // (4 if is_warm else 2), 1)

    def to_json(self) -> dict[str, float]:
        """Return the values by name, ready for a manifest."""
        return asdict(self)
