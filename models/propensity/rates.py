"""How likely accounts are to buy what is not among their candidates: a prior of product, category and segment."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.artifact import NO_ROW
from models.artifact.groups import NO_GROUP
from models.evaluate.intervals import Estimate, estimate_ratio
from models.propensity.examples import Listed
from models.propensity.snapshot import N_SEGMENTS, Moment

PRIOR_EVENTS = 2.0
"""So many purchases at the usual rate are added to what was counted, so that no rate is zero."""


@dataclass(frozen=True)
class Rates:
    """of_product: float64 (P,). of_category: float64 (G + 1,), any product's at last. factor: float64 (S + 1,).

    P(an account of segment s buys product p within a horizon), which it neither owns nor has among its candidates, is
    ``of_product[p] * factor[s]``. One that never bought is taken for an average one: its factor is 1.
    """

    of_product: NDArray[np.float64]
    of_category: NDArray[np.float64]
    factor: NDArray[np.float64]


def learn_rates(moment: Moment, listed: Listed, bought: csr_matrix, category: NDArray[np.int32]) -> Rates:
    """Count who bought, within the horizon after a moment, what was not among its candidates.

    bought: (A, P). category: int32 (P,), NO_GROUP where a product has none.
    Rates are shrunk towards the category's, and those towards the rate of all (gamma-Poisson), which is that of all
    that was not owned where everything is among the candidates. What had never been sold at the moment gets its
    category's, times how much of such products was bought beside that.
    """
    seen, new = _seen(listed), _surprises(listed, bought)
    n_events = np.asarray(new.sum(axis=0)).ravel()
    exposure = len(listed.rows) - np.asarray(seen.sum(axis=0)).ravel()
    is_sold = np.bincount(moment.lines.product, minlength=len(category)) > 0
    sold_events, sold_exposure = np.where(is_sold, n_events, 0.0), np.where(is_sold, exposure, 0.0)
    of_all = _shrunk(sold_events.sum(), sold_exposure.sum(), _usual_rate(listed, bought, is_sold))
    n_groups = int(category.max(initial=NO_GROUP)) + 1
    group = np.where(category == NO_GROUP, n_groups, category)
    of_group = _shrunk(_sum(sold_events, group, n_groups), _sum(sold_exposure, group, n_groups), of_all)
    of_product = _shrunk(sold_events, sold_exposure, of_group[group])
    unsold = n_events[~is_sold].sum(), float(exposure[~is_sold] @ of_product[~is_sold])
    of_product[~is_sold] *= (unsold[0] + PRIOR_EVENTS) / (unsold[1] + PRIOR_EVENTS)
    of_group[-1] = of_all
    segment = moment.segment[listed.rows]
    expected = np.bincount(segment, weights=_expected(of_product, seen), minlength=N_SEGMENTS + 1)
    observed = np.bincount(segment, weights=np.asarray(new.sum(axis=1)).ravel(), minlength=N_SEGMENTS + 1)
    factor = (observed + PRIOR_EVENTS) / (expected + PRIOR_EVENTS)
    factor[N_SEGMENTS] = 1.0
    return Rates(of_product, of_group, factor)


def _usual_rate(listed: Listed, bought: csr_matrix, is_sold: NDArray[np.bool_]) -> float:
    """How much was bought, of all that was not owned and had been sold: a share between 0 and 1."""
    owned, some = listed.owned[listed.rows], bought[listed.rows]
    n_pairs = len(listed.rows) * int(is_sold.sum()) - owned.nnz
    n_new = some.astype(np.bool_)[:, is_sold].nnz - some.astype(np.bool_).multiply(owned.astype(np.bool_)).nnz
    return float((n_new + PRIOR_EVENTS) / (n_pairs + 2 * PRIOR_EVENTS))


def measure_rates(
    rates: Rates, level: float, moment: Moment, listed: Listed, bought: csr_matrix, seed: int
) -> Estimate:
    """Estimate observed over expected purchases of what was not among the candidates, in a later window."""
    expected = level * rates.factor[moment.segment[listed.rows]] * _expected(rates.of_product, _seen(listed))
    return estimate_ratio(np.asarray(_surprises(listed, bought).sum(axis=1)).ravel(), expected, seed)


def _sum(values: NDArray[np.float64], group: NDArray[np.int32], n_groups: int) -> NDArray[np.float64]:
    return np.bincount(group, weights=values, minlength=n_groups + 1).astype(np.float64)


def _shrunk(
    events: NDArray[np.float64], exposure: NDArray[np.float64], usual: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    return np.asarray((events + PRIOR_EVENTS) / (exposure + PRIOR_EVENTS / usual))


def _seen(listed: Listed) -> csr_matrix:
    """What accounts own or have among their candidates, ones."""
    row, place = np.nonzero(listed.products != NO_ROW)
    shape = (len(listed.rows), listed.owned.shape[1])
    candidates = csr_matrix((np.ones(len(row)), (row, listed.products[row, place])), shape=shape)
    owned = listed.owned[listed.rows]
    seen = candidates + csr_matrix((np.ones(owned.nnz), owned.indices, owned.indptr), shape=shape)
    seen.data[:] = 1
    return seen


def _surprises(listed: Listed, bought: csr_matrix) -> csr_matrix:
    """What accounts bought of what they had not seen, ones."""
    some = bought[listed.rows]
    ones = csr_matrix((np.ones(some.nnz), some.indices, some.indptr), shape=some.shape)
    return (ones - ones.multiply(_seen(listed))).tocsr()


def _expected(of_product: NDArray[np.float64], seen: csr_matrix) -> NDArray[np.float64]:
    """Float64 (n,): the sum of the rates of what an account has not seen."""
    return np.asarray(of_product.sum() - seen @ of_product)
