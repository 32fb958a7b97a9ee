"""Fit on the whole history, mine relationships, and list and explain every account's candidates: what is served."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.artifact import (
    NO_VARIANTS,
    BasketChances,
    Evidence,
    Products,
    Relationships,
    Repurchases,
    variant_groups,
)
from models.candidates import CandidateLists, list_candidates
from models.data.interactions import owned_matrix
from models.evaluate.holdout import Chosen
from models.products.evidence import count_evidence
from models.products.relationships import count_baskets, mine_relationships
from models.products.repurchases import learn_repurchases
from models.propensity.rank_candidates import Ranking, list_ranked
from models.propensity.snapshot import Snapshot
from models.propensity.windows import PropensityInputs, SnapshotModels
from models.ranking.als import AlsScorer
from models.ranking.basket_chances import order_rates
from models.ranking.baskets import Neighbours, fit_neighbours
from models.ranking.blend import BlendScorer
from models.ranking.fit import fit_rankers

Step = Callable[[str], None]


@dataclass(frozen=True)
class FinalModels:
    """What is learned from the whole history, for serving.

    als: None where baskets alone were learned from. p: see ``list_ranked``; without a second stage, NaN.
    """

    als: AlsScorer | None
    owned: csr_matrix
    popularity: NDArray[np.float32]
    neighbours: Neighbours
    basket_chances: BasketChances
    relationships: Relationships
    evidence: Evidence
    lists: CandidateLists
    p: NDArray[np.float32]
    repurchases: Repurchases


def fit_finally(
    inputs: PropensityInputs,
    chosen: Chosen,
    chances: BasketChances,
    second_stage: tuple[Ranking, Snapshot] | None,
    step: Step,
) -> FinalModels:
    """Fit on everything. chances: learned on the newest window.

    second_stage: with the snapshot of the whole history; None for lists by the blend.
    """
    interactions, products, as_of = inputs.interactions, inputs.products, inputs.split.as_of
    step("fit on everything")
    warm = inputs.rankers[1]
    fitted = fit_rankers(interactions, as_of, chosen.parameters, step, warm, warm.extra_scores)
    neighbours = fit_neighbours(interactions, as_of, chosen.parameters, chosen.exponents)
    step("mine the relationships between products")
    counted = count_baskets(interactions)
    relationships = mine_relationships(interactions, products, counted=counted)
    step("list and explain every account's candidates")
    owned = owned_matrix(interactions)
    unlisted, is_listed = variants_of_owned(owned, products), has_evidence(fitted.strength)
    if second_stage:
        ranking, now = second_stage
        models = SnapshotModels.from_snapshot(now, fitted, chosen.weights, inputs.content, unlisted)
        lists, p = list_ranked(ranking, models, is_listed, chosen.parameters.seed)
    else:
        scorer = BlendScorer(fitted, chosen.weights)
        lists = list_candidates(scorer, owned, products.is_offerable, unlisted=unlisted, has_evidence=is_listed)
        p = np.full(lists.products.shape, np.nan, dtype=np.float32)
    step("count the customers behind each reason")
    evidence = count_evidence(*named_pairs(neighbours, lists), *counted, owned)
    popularity = fitted.popularity.popularity
    chances = replace(chances, rates=order_rates(interactions, as_of))
    repurchases = learn_repurchases(interactions, products, owned, lists.owned_scores if second_stage else None)
    return FinalModels(
        fitted.als, owned, popularity, neighbours, chances, relationships, evidence, lists, p, repurchases
    )


def has_evidence(strength: csr_matrix) -> NDArray[np.bool_]:
    """Return bool (n_accounts,): whose products anybody has together with another product.

    Of any other account the history says nothing about what it may buy. strength: (n_accounts, n_products).
    """
    is_together = np.diff(strength.indptr) > 1
    is_linked = np.zeros(strength.shape[1], dtype=np.int8)
    is_linked[strength.indices[np.repeat(is_together, np.diff(strength.indptr))]] = 1
    owns = csr_matrix((np.ones(strength.nnz, dtype=np.int32), strength.indices, strength.indptr), strength.shape)
    return np.asarray(owns @ is_linked.astype(np.int32)) > 0


def variants_of_owned(owned: csr_matrix, products: Products) -> csr_matrix | None:
    """Return (n_accounts, n_products), what each account has in another variant; None if there are no variants."""
    group = variant_groups(products)
    varied = np.flatnonzero(group != NO_VARIANTS)
    if not len(varied):
        return None
    entries = (np.ones(len(varied), dtype=np.float32), (varied, group[varied]))
    in_group = csr_matrix(entries, shape=(len(group), int(group.max()) + 1))
    return ((owned @ in_group) @ in_group.T).tocsr()


def named_pairs(neighbours: Neighbours, lists: CandidateLists) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the pairs of products of which the one may be named as a reason for the other, -1 padded."""
    explained, n_reasons = lists.reasons.shape[1:]
    seeds = np.repeat(np.arange(len(neighbours.products), dtype=np.int32), neighbours.products.shape[1])
    offered = np.repeat(lists.products[:, :explained].ravel(), n_reasons)
    return np.concatenate((seeds, lists.reasons.ravel())), np.concatenate((neighbours.products.ravel(), offered))
