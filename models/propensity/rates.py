"""How likely accounts are to buy products that are no candidates: a rate by product, category and segment."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.artifact import NO_ROW
from models.artifact.groups import NO_GROUP
from models.evaluate.intervals import Estimate, estimate_ratio
from models.propensity.examples import ListedCandidates
from models.propensity.snapshot import N_SEGMENTS, Snapshot

PRIOR_EVENTS = 2.0
"""Purchases at the usual rate that are added to the counts, so that no rate is zero."""


@dataclass(frozen=True)
class Rates:
    """of_product: float64 (P,). of_category: float64 (G + 1,), any product's at last. factor: float64 (S + 1,).

    P(an account of segment s buys product p within a horizon), which it neither owns nor has among its candidates, is
    ``of_product[p] * factor[s]``. An account that never bought counts as an average one: its factor is 1.
    """

    of_product: NDArray[np.float64]
    of_category: NDArray[np.float64]
    factor: NDArray[np.float64]


def learn_rates(snapshot: Snapshot, listed: ListedCandidates, bought: csr_matrix, category: NDArray[np.int32]) -> Rates:
    """Count purchases, within the horizon after a snapshot, of products that were no candidates of the account.

    bought: (A, P). category: int32 (P,), NO_GROUP where a product has none.
    Rates are shrunk towards the category's, and those towards the rate of all (gamma-Poisson); where everything is a
    candidate, that is the rate of all products that were not owned. Products that had never been sold at the snapshot
    get their category's rate, scaled by how much of such products was bought.
    """
    excluded, new = _listed_or_owned(listed), _unlisted_purchases(listed, bought)
    n_events = np.asarray(new.sum(axis=0)).ravel()
    exposure = len(listed.rows) - np.asarray(excluded.sum(axis=0)).ravel()
    is_sold = np.bincount(snapshot.lines.product, minlength=len(category)) > 0
    sold_events, sold_exposure = np.where(is_sold, n_events, 0.0), np.where(is_sold, exposure, 0.0)
    of_all = _shrunk(sold_events.sum(), sold_exposure.sum(), _usual_rate(listed, bought, is_sold))
    n_groups = int(category.max(initial=NO_GROUP)) + 1
    group = np.where(category == NO_GROUP, n_groups, category)
    of_group = _shrunk(_sum(sold_events, group, n_groups), _sum(sold_exposure, group, n_groups), of_all)
    of_product = _shrunk(sold_events, sold_exposure, of_group[group])
    unsold = n_events[~is_sold].sum(), float(exposure[~is_sold] @ of_product[~is_sold])
    of_product[~is_sold] *= (unsold[0] + PRIOR_EVENTS) / (unsold[1] + PRIOR_EVENTS)
    of_group[-1] = of_all
    segment = snapshot.segment[listed.rows]
    expected = np.bincount(segment, weights=_expected(of_product, excluded), minlength=N_SEGMENTS + 1)
    observed = np.bincount(segment, weights=np.asarray(new.sum(axis=1)).ravel(), minlength=N_SEGMENTS + 1)
    factor = (observed + PRIOR_EVENTS) / (expected + PRIOR_EVENTS)
    factor[N_SEGMENTS] = 1.0
    return Rates(of_product, of_group, factor)


def _usual_rate(listed: ListedCandidates, bought: csr_matrix, is_sold: NDArray[np.bool_]) -> float:
    """The share bought, of all pairs that were not owned with a product that had been sold."""
    owned, purchases = listed.owned[listed.rows], bought[listed.rows].astype(np.bool_)
    n_pairs = len(listed.rows) * int(is_sold.sum()) - owned.nnz
    n_new = purchases[:, is_sold].nnz - purchases.multiply(owned.astype(np.bool_)).nnz
    return float((n_new + PRIOR_EVENTS) / (n_pairs + 2 * PRIOR_EVENTS))


def measure_rates(
    rates: Rates, level: float, snapshot: Snapshot, listed: ListedCandidates, bought: csr_matrix, seed: int
) -> Estimate:
    """Estimate observed over expected purchases of what was not among the candidates, in a later window."""
    factor = rates.factor[snapshot.segment[listed.rows]]
    expected = level * factor * _expected(rates.of_product, _listed_or_owned(listed))
    return estimate_ratio(np.asarray(_unlisted_purchases(listed, bought).sum(axis=1)).ravel(), expected, seed)


def _sum(values: NDArray[np.float64], group: NDArray[np.int32], n_groups: int) -> NDArray[np.float64]:
    return np.bincount(group, weights=values, minlength=n_groups + 1).astype(np.float64)


def _shrunk(
    events: NDArray[np.float64], exposure: NDArray[np.float64], usual: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    return np.asarray((events + PRIOR_EVENTS) / (exposure + PRIOR_EVENTS / usual))


def _listed_or_owned(listed: ListedCandidates) -> csr_matrix:
    """Ones where an account owns a product or has it among its candidates."""
    row, place = np.nonzero(listed.products != NO_ROW)
    shape = (len(listed.rows), listed.owned.shape[1])
    candidates = csr_matrix((np.ones(len(row)), (row, listed.products[row, place])), shape=shape)
    owned = listed.owned[listed.rows]
    excluded = candidates + csr_matrix((np.ones(owned.nnz), owned.indices, owned.indptr), shape=shape)
    excluded.data[:] = 1
    return excluded


def _unlisted_purchases(listed: ListedCandidates, bought: csr_matrix) -> csr_matrix:
    """Ones where an account bought a product that it neither owned nor had among its candidates."""
    purchases = bought[listed.rows]
    ones = csr_matrix((np.ones(purchases.nnz), purchases.indices, purchases.indptr), shape=purchases.shape)
    return (ones - ones.multiply(_listed_or_owned(listed))).tocsr()


def _expected(of_product: NDArray[np.float64], excluded: csr_matrix) -> NDArray[np.float64]:
    """Float64 (n,): the sum of the rates of products that are not excluded."""
    return np.asarray(of_product.sum() - excluded @ of_product)
