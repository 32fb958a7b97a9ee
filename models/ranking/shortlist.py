"""The first stage: for each account, the products that some ranker puts near the top, with every ranker's score."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.arrays import numbers_of_ranges
from models.ranking.blend import BlendScorer
from models.ranking.cold_products import ColdProducts
from models.ranking.top import NO_PRODUCT, in_batches, top_products

OF_BLEND, OF_SIMILAR_ACCOUNTS, OF_POPULARITY, OF_EXTRA_SCORES, OF_COLD = 200, 150, 100, 100, 30
"""How many products each of them gives; popular ones that an account owns are not made up for."""
MANY_ACCOUNTS = 10_000
"""Beyond so many accounts lists are shorter in proportion, down to a tenth, so that what they cost is bounded."""
LEAST_OF_BLEND = 100
RANKERS = 4
"""Without extra scores, which are one more."""
BLEND, SIMILAR_ACCOUNTS, EXTRA_SCORES = 0, 4, 5
"""Places of scores: the blend's and then each ranker's, in the order of the blend's weights."""


@dataclass(frozen=True)
class Shortlist:
    """Candidates of n accounts, the blend's best first.

    rows:     int32 (n,), the accounts.
    products: int32 (n, k), NO_PRODUCT padded.
    scores:   float32 (n, k), the blend's; 0 where padded.
    rankers:  float32 (n, k, R), each ranker's score over its peak, in the order of the blend's weights; 0 where padded.
              R is RANKERS, or one more where extra scores are given.
    owned:    float32 (m, 1 + R), the blend's and the rankers' scores of what the accounts own, one account after the
              other.
    """

    rows: NDArray[np.int32]
    products: NDArray[np.int32]
    scores: NDArray[np.float32]
    rankers: NDArray[np.float32]
    owned: NDArray[np.float32]

    @property
    def is_pair(self) -> NDArray[np.bool_]:
        """Bool (n, k): False where padded."""
        return np.asarray(self.products != NO_PRODUCT)

    @property
    def has_extra_scores(self) -> bool:
        """Whether extra scores are among the rankers."""
        return bool(self.rankers.shape[2] > RANKERS)

    def part(self, which: slice) -> "Shortlist":
        """The candidates of some of the accounts, without the scores of what they own."""
        scores, rankers = self.scores[which], self.rankers[which]
        return Shortlist(self.rows[which], self.products[which], scores, rankers, self.owned[:0])


@dataclass(frozen=True)
class FirstStage:
    """A blend of rankers, and what may be listed.

    owned:        (n_accounts, n_products), never listed.
    is_offerable: bool (n_products,).
    unlisted:     (n_accounts, n_products), what else is never listed, such as variants of what is owned.
    cold:         what was first sold lately, if it gets places of its own.
    """

    blend: BlendScorer
    owned: csr_matrix
    is_offerable: NDArray[np.bool_]
    unlisted: csr_matrix | None = None
    cold: ColdProducts | None = None

    def shortlist(self, rows: NDArray[np.int32]) -> Shortlist:
        """Unite the best of the blend, similar accounts and extra scores with what is popular, and what is cold."""
        # Without any account one empty batch still gives every array its shape.
        parts = list(in_batches(self._of_batch, rows, len(self.is_offerable))) or [self._of_batch(rows)]
        width = max(part.products.shape[1] for part in parts)
        wide = [_widen(part, width) for part in parts]
        products, scores, rankers, owned = (
            np.concatenate([getattr(part, name) for part in wide])
            for name in ("products", "scores", "rankers", "owned")
        )
        return Shortlist(rows, products, scores, rankers, owned)

    def _of_batch(self, rows: NDArray[np.int32]) -> Shortlist:
        everything = self.blend.score_each(rows)
        owned = self.owned[rows]
        owner = numbers_of_ranges(owned.indptr)
        of_owned = np.stack([scores[owner, owned.indices] for scores in everything], axis=1)
        products = self._unite(everything[BLEND], everything[SIMILAR_ACCOUNTS], everything[EXTRA_SCORES:], rows)
        line = np.arange(len(rows))[:, None]
        is_padding = products == NO_PRODUCT
        best_first = np.argsort(np.where(is_padding, np.inf, -everything[BLEND][line, products]), axis=1, kind="stable")
        width = int((~is_padding).sum(axis=1).max(initial=0))
        products = np.take_along_axis(products, best_first, axis=1)[:, :width]
        columns = [np.where(products == NO_PRODUCT, 0, scores[line, products]) for scores in everything]
        return Shortlist(rows, products, columns[0], np.stack(columns[1:], axis=2), of_owned)

    def _unite(
        self,
        blend: NDArray[np.float32],
        similar: NDArray[np.float32],
        extra: Sequence[NDArray[np.float32]],
        rows: NDArray[np.int32],
    ) -> NDArray[np.int32]:
        """The best of these scores, the most popular and the best cold products, once each, NO_PRODUCT between them.

        extra: extra scores, where they are given. What they score 0 is none of their best.
        Scores of what may not be listed become minus infinity.
        """
        for scores in (blend, similar, *extra):
            for taken in (self.owned, self.unlisted):
                if taken is not None:
                    batch = taken[rows]
                    scores[numbers_of_ranges(batch.indptr), batch.indices] = -np.inf
            scores[:, ~self.is_offerable] = -np.inf
        of_blend, of_similar, _, of_extra, of_cold = self._lengths
        listed = (
            top_products(blend, min(of_blend, blend.shape[1]))[0],
            top_products(similar, min(of_similar, similar.shape[1]))[0],
            np.where(np.isfinite(blend[:, self._popular]), self._popular, NO_PRODUCT),
            *(_best_positive(scores, of_extra) for scores in extra),
            *self._best_cold(blend, rows, of_cold),
        )
        ascending = np.sort(np.concatenate(listed, axis=1), axis=1)
        is_new = np.diff(ascending, axis=1, prepend=NO_PRODUCT) > 0
        return np.where(is_new, ascending, NO_PRODUCT).astype(np.int32)

    def _best_cold(self, blend: NDArray[np.float32], rows: NDArray[np.int32], count: int) -> list[NDArray[np.int32]]:
        """The best cold products, (n, count), if there are any. blend: minus infinity for what may not be listed."""
        if self.cold is None or not len(self.cold.products):
            return []
        cold = self.cold.products
        places = _best_positive(np.where(np.isfinite(blend[:, cold]), self.cold.score(rows), 0), count)
        return [np.where(places == NO_PRODUCT, NO_PRODUCT, cold[places])]

    @cached_property
    def _lengths(self) -> tuple[int, ...]:
        """How many products the blend, similar accounts, popularity, extra scores and cold products give."""
        share = min(max(MANY_ACCOUNTS / max(self.owned.shape[0], 1), 0.1), 1.0)
        lengths = (OF_BLEND, OF_SIMILAR_ACCOUNTS, OF_POPULARITY, OF_EXTRA_SCORES, OF_COLD)
        of_blend, *others = (max(round(length * share), 1) for length in lengths)
        return max(of_blend, LEAST_OF_BLEND), *others

    @cached_property
    def _popular(self) -> NDArray[np.intp]:
        """The most popular products that may be offered."""
        popularity = self.blend.fitted.popularity.popularity
        offerable = np.flatnonzero(self.is_offerable)
        return offerable[np.argsort(-popularity[offerable], kind="stable")[: self._lengths[2]]]


def _best_positive(scores: NDArray[np.float32], count: int) -> NDArray[np.int32]:
    positive = np.where(scores > 0, scores, np.float32(-np.inf))
    return top_products(positive, min(count, scores.shape[1]))[0]


def _widen(part: Shortlist, width: int) -> Shortlist:
    more = (0, width - part.products.shape[1])
    return replace(
        part,
        products=np.pad(part.products, ((0, 0), more), constant_values=NO_PRODUCT),
        scores=np.pad(part.scores, ((0, 0), more)),
        rankers=np.pad(part.rankers, ((0, 0), more, (0, 0))),
    )
