"""Mine relationships between products from orders: up-sells, cross-sells, accessories and substitutes."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.arrays import concatenate_ranges, offsets_of_sorted, places_in_runs, run_starts
from models.artifact import NO_NUMBER, NO_VARIANTS, Products, Relationships, variant_groups
from models.artifact.relationships import ACCESSORY, BASKETS, CATEGORY_BASIS, CROSS_SELL, SUBSTITUTE
from models.data.interactions import Interactions, owned_matrix
from models.products.accessories import needs_main
from models.products.exclusives import find_exclusives
from models.products.groups import groups_of
from models.products.measures import (
    Counts,
    added_confidence,
    attraction_p,
    confidence,
    cosine,
    discovered,
    lift,
    log_likelihood_ratio,
)
from models.products.pairs import Baskets, Pairs, baskets_of, count_pairs
from models.products.parameters import RelationshipParameters
from models.products.prices import unit_prices
from models.products.rows import Rows, concatenate, make_rows
from models.products.sequences import find_sequences
from models.products.substitutes import find_substitutes
from models.products.timing import FirstPurchases, first_purchases, moves_between
from models.products.upgrades import find_upgrades

DEFAULTS = RelationshipParameters()


def mine_relationships(
    interactions: Interactions,
    products: Products,
    parameters: RelationshipParameters = DEFAULTS,
    counted: tuple[Baskets, Pairs] | None = None,
) -> Relationships:
    """Find every relationship that the history shows beyond chance, or that the catalogue declares.

    Pairs are gated by their count and by significance under a false discovery rate, never by lift, which is highest
    for pairs seen once. A directed pair has one relation: an upgrade or a substitute is no cross-sell, and evidence of
    baskets goes before that of sequences. Each product keeps the strongest of each relation. They lead between products
    that may be offered, and never between variants of one product.

    counted: the history's baskets, and their pairs, if they were counted before.
    """
    n_products = interactions.n_products
    baskets, pairs = counted or count_baskets(interactions)
    purchases = first_purchases(interactions)
    prices = unit_prices(interactions, products)
    upgrades = find_upgrades(purchases, products, prices, parameters)
    upwards = upgrades.keys(n_products), upgrades.reversed_keys(n_products)
    substitutes = _without(find_substitutes(interactions, products, pairs, parameters), *upwards, n_products=n_products)
    taken = [*upwards, substitutes.keys(n_products)]
    together = _without(find_cross_sells(pairs, prices, parameters), *taken, n_products=n_products)
    taken.append(together.keys(n_products))
    later = _without(find_sequences(purchases, parameters), *taken, n_products=n_products)
    taken.append(later.keys(n_products))
    exclusives = find_exclusives(owned_matrix(interactions), products, parameters)
    exclusives = _without(exclusives, *taken, n_products=n_products)
    mined = concatenate([upgrades, substitutes, together, later, exclusives])
    inherited = inherit(interactions, products, baskets, mined, parameters)
    inherited = _without(inherited, *upwards, mined.keys(n_products), n_products=n_products)
    rows = _between_offerable(concatenate([mined, inherited]), products)
    rows = _strongest(
        rows, np.where(rows.relation == SUBSTITUTE, parameters.max_substitutes, parameters.max_per_product)
    )
    return _lay_out(rows, purchases, prices, needs_main(rows, baskets, parameters.min_main_share))


def count_baskets(interactions: Interactions) -> tuple[Baskets, Pairs]:
    """Lay out the history's baskets and count their pairs."""
    baskets = baskets_of(interactions)
    return baskets, count_pairs(baskets)


def find_cross_sells(pairs: Pairs, prices: NDArray[np.float64], parameters: RelationshipParameters) -> Rows:
    """Find products bought together beyond chance, both ways; a cheaper one rarely bought alone is an accessory."""
    stands = gate(pairs, parameters)
    first, second, counts = pairs.first[stands], pairs.second[stands], pairs.counts()[stands]
    return concatenate(
        [
            _directed(pairs, stands, first, second, counts, prices, parameters),
            _directed(pairs, stands, second, first, counts.swapped(), prices, parameters),
        ]
    )


def gate(pairs: Pairs, parameters: RelationshipParameters) -> NDArray[np.intp]:
    """Return the positions of pairs that are together often enough, and beyond chance among all possible pairs.

    Often enough are both the baskets and the customers behind them.
    """
    n_seen = int((pairs.held > 0).sum())
    enough = np.flatnonzero((pairs.together >= parameters.min_together) & (pairs.buyers >= parameters.min_buyers))
    p = attraction_p(pairs.counts()[enough], pairs.buyers[enough] / pairs.together[enough])
    return enough[discovered(p, n_seen * (n_seen - 1) // 2, parameters.false_discovery_rate)]


def _directed(
    pairs: Pairs,
    selected: NDArray[np.intp],
    source: NDArray[np.int32],
    target: NDArray[np.int32],
    counts: Counts,
    prices: NDArray[np.float64],
    parameters: RelationshipParameters,
) -> Rows:
    share, share_back = confidence(counts), confidence(counts.swapped())
    belongs = (share_back >= parameters.accessory_share) & (share_back >= parameters.accessory_ratio * share)
    value, n_valued = pairs.value[selected], pairs.n_valued[selected]
    with np.errstate(divide="ignore", invalid="ignore"):
        with_both = value / n_valued
        with_source_alone = (pairs.held_value[source] - value) / (pairs.held_valued[source] - n_valued)
        growth = with_both / with_source_alone - 1
    rows = make_rows(
        source,
        target,
        counts,
        relation=CROSS_SELL,
        evidence=BASKETS,
        strength=added_confidence(counts),
        value_growth=np.where(np.isfinite(growth), growth, np.nan),
        buyers=pairs.buyers[selected],
    )
    rows.relation[belongs & (prices[target] < prices[source])] = ACCESSORY
    return rows


def inherit(
    interactions: Interactions, products: Products, baskets: Baskets, mined: Rows, parameters: RelationshipParameters
) -> Rows:
    """Give products without a cross-sell those of their category, each to the best-selling product of another."""
    category, n_categories = groups_of(products.categories)
    has_category = np.flatnonzero(category >= 0)
    entries = (np.ones(len(has_category), dtype=np.int64), (has_category, category[has_category]))
    grouped = (baskets.holds @ csr_matrix(entries, shape=(len(category), n_categories))).tocsr()
    grouped.data[:] = 1
    grouped.sort_indices()
    pairs = count_pairs(Baskets(grouped, baskets.value, baskets.buyer, baskets.is_valued))
    lacks = np.ones(interactions.n_products, dtype=np.bool_)
    lacks[mined.source[(mined.relation == CROSS_SELL) | (mined.relation == ACCESSORY)]] = False
    best = _best_sellers(baskets, products, category, n_categories)
    by_category = find_cross_sells(pairs, np.full(n_categories, np.nan), parameters)
    by_category = _strongest(by_category.take(best[by_category.target] >= 0), parameters.inherited)
    heirs = np.flatnonzero(lacks & (category >= 0))
    starts = offsets_of_sorted(by_category.source, n_categories)
    numbers, places = concatenate_ranges(starts[category[heirs]], np.diff(starts)[category[heirs]])
    rows = by_category.take(places)
    rows.source[:] = heirs[numbers]
    rows.target[:] = best[rows.target]
    rows.basis[:] = CATEGORY_BASIS
    return rows


def _best_sellers(
    baskets: Baskets, products: Products, category: NDArray[np.int32], n_categories: int
) -> NDArray[np.int32]:
    """Return int32 (n_categories,): the product of each category that most baskets hold, of those sold; -1 if none."""
    n_held = np.bincount(baskets.holds.indices, minlength=len(category))
    sold = np.flatnonzero(products.is_offerable & (category >= 0) & (n_held > 0))
    best = np.full(n_categories, -1, dtype=np.int32)
    ascending = sold[np.lexsort((-sold, n_held[sold]))]
    best[category[ascending]] = ascending
    return best


def _without(rows: Rows, *taken: NDArray[np.int64], n_products: int) -> Rows:
    return rows.take(~np.isin(rows.keys(n_products), np.concatenate(taken)))


def _between_offerable(rows: Rows, products: Products) -> Rows:
    """Leave out what may not be offered, or be a reason for an offer, and pairs of variants."""
    is_offerable, group = products.is_offerable, variant_groups(products)
    is_variant = (group[rows.source] == group[rows.target]) & (group[rows.source] != NO_VARIANTS)
    return rows.take(is_offerable[rows.source] & is_offerable[rows.target] & ~is_variant)


def _strongest(rows: Rows, limits: NDArray[np.int64] | int) -> Rows:
    """Keep the strongest of each source and relation, sorted; ties by target. limits: (n,), that of each row."""
    order = np.lexsort((rows.target, -rows.strength, rows.relation, rows.source))
    rows, limits = rows.take(order), np.broadcast_to(limits, len(order))[order]
    return rows.take(places_in_runs(run_starts(rows.source, rows.relation)) < limits)


def _lay_out(
    rows: Rows, purchases: FirstPurchases, prices: NDArray[np.float64], is_needed: NDArray[np.bool_]
) -> Relationships:
    """Compute the measures of each relationship."""
    counts = rows.counts()
    n_products = len(prices)
    days = np.full((len(rows), 3), np.nan, dtype=np.float32)
    n_days = np.zeros(len(rows), dtype=np.int32)
    counted = np.flatnonzero(rows.basis != CATEGORY_BASIS)
    moves = moves_between(purchases, rows.source[counted], rows.target[counted])
    days[counted], n_days[counted] = moves.quartiles, moves.after
    step = prices[rows.target] - prices[rows.source]
    is_counted = counts.ab > 0

    def measured(measure: Callable[[Counts], NDArray[np.float64]]) -> NDArray[np.float32]:
        values = np.full(len(rows), np.nan, dtype=np.float32)
        values[is_counted] = measure(counts[is_counted])
        return values

    return Relationships(
        starts=offsets_of_sorted(rows.source, n_products),
        target=rows.target,
        relation=rows.relation,
        basis=rows.basis,
        evidence=rows.evidence,
        strength=rows.strength.astype(np.float32),
        together=rows.together.astype(np.int32),
        buyers=rows.buyers.astype(np.int32),
        n_source=rows.n_source.astype(np.int32),
        n_target=rows.n_target.astype(np.int32),
        n_total=rows.n_total.astype(np.int32),
        confidence=measured(confidence),
        lift=measured(lift),
        cosine=measured(cosine),
        llr=measured(log_likelihood_ratio),
        value_growth=rows.value_growth.astype(np.float32),
        days=days,
        n_days=n_days,
        is_needed=is_needed,
        price_step_minor=np.where(np.isnan(step), NO_NUMBER, np.nan_to_num(step).round()).astype(np.int64),
    )
