"""Learn from baskets alone: what goes together and what is popular, and nothing of accounts."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact import BasketChances, Content, Verdict
from models.artifact_layout import describe_currency, lay_out
from models.candidates import CANDIDATES, EXPLAINED, CandidateLists
from models.customers.accounts import LearnedAccounts, learn_accounts
from models.data.errors import HistoryInvalid
from models.data.interactions import owned_matrix
from models.evaluate.artifact_in_use import NAME_IN_USE, is_measurable, neighbours_of, recorded_floor
from models.evaluate.baskets import BasketScorer
from models.evaluate.gate import BASKETS_BY_HITS, decide_publication
from models.evaluate.holdout import held_out_days, learn_from_baskets, measure_and_refit
from models.final_models import FinalModels, named_pairs
from models.products.completion import fit_pairs
from models.products.evidence import count_evidence
from models.products.relationships import count_baskets, mine_relationships
from models.products.repurchases import learn_repurchases
from models.propensity.train_propensity import no_propensity
from models.ranking.basket_chances import order_rates
from models.ranking.baskets import Neighbours, fit_neighbours
from models.ranking.popularity import fit_popularity
from models.ranking.settings import PairExponents, RankingParameters
from models.report import GATED_BASKET_CUT, NEIGHBOURS, Report, describe_baskets, rank_baskets
from models.training_data import SOURCE, TrainingData, TrainingOptions

Step = Callable[[str], None]

NOTICE = "trained on baskets alone: accounts get popular products"
USED_PARAMETERS = (
    "seed", "popularity_half_life_days", "basket_regularization",
    "basket_half_life_days", "basket_discount", "basket_pair_discount", "dense_products", "regressed_products",
)  # fmt: skip
"""Of ``RankingParameters``: the others are about accounts."""


def learn_baskets(data: TrainingData, options: TrainingOptions, step: Step) -> tuple[Content, Report]:
    """Fit neighbours, popularity and relationships, and judge the neighbours on the held-out period.

    data: without accounts. Raises HistoryInvalid if there is too little to learn from.
    """
    parameters = RankingParameters(seed=options.seed)
    step("learn what completes the validation window's baskets")
    exponents, chances = learn_from_baskets(data.goods, data.split, parameters)
    step("evaluate on the held-out period")
    ranks, neighbours = rank_held_out(data, parameters, exponents)
    chances, of_chances = refit_chances(data, chances, neighbours, options.seed)
    verdict = judge_baskets(ranks, data, options.seed, is_forced=options.is_forced)
    currency = describe_currency(data.history, data.day)
    accounts = _no_accounts(data, currency["reporting"])
    step("fit on everything")
    final = fit_baskets(data, parameters, exponents, chances, step)
    propensity = no_propensity(final.lists, accounts.lines, accounts.categories, "no account was learned from")
    values = parameters.to_json()
    report = Report(
        metrics={"basket": describe_baskets(ranks, options.seed)} | of_chances,
        windows=data.split.describe(),
        notice="; ".join(filter(None, (NOTICE, data.split.notice))),
        parameters={name: values[name] for name in USED_PARAMETERS}
        | {"is_basket_only": True, "basket_exponents": asdict(exponents)},
        verdict=verdict,
        timezone=data.split.zone.name,
        served=NEIGHBOURS,
        currency=currency,
        propensity=propensity.described,
    )
    products = data.history.products
    return lay_out(data.interactions, products, final, accounts, propensity.propensities, report), report


def rank_held_out(
    data: TrainingData, parameters: RankingParameters, exponents: PairExponents
) -> tuple[dict[str, NDArray[np.float64]], Neighbours]:
    """Rank the hidden product of each held-out basket, by the neighbours and by what they are compared with.

    Returns by model float64 (n_baskets,), how many products rank above the hidden one. The artifact in use is among
    the models where it has not seen the held-out period. The neighbours come second.
    """
    split, goods = data.split, data.goods
    learned, holdout = goods.select(~split.holdout), goods.select(split.holdout)
    if not (learned.quantity > 0).any():
        raise HistoryInvalid(SOURCE, ["nothing was bought before the held-out period"])
    neighbours = fit_neighbours(learned, split.holdout_start, parameters, exponents)
    scorers: dict[str, BasketScorer] = {
        NEIGHBOURS: neighbours,
        "popularity": fit_popularity(learned, split.holdout_start, parameters),
        **fit_pairs(learned),
    }
    if data.in_use and is_measurable(data.in_use, split):
        scorers[NAME_IN_USE] = neighbours_of(data.in_use, goods)
    return rank_baskets(scorers, learned, holdout, parameters.seed), neighbours


def refit_chances(
    data: TrainingData, chances: BasketChances, neighbours: Neighbours, seed: int
) -> tuple[BasketChances, dict[str, Any]]:
    """Measure the chances of the validation window on the held-out period; learn from that, see ``measure_and_refit``.

    neighbours: learned from all but that period.
    """
    goods, split = data.goods, data.split
    learned, holdout = goods.select(~split.holdout), goods.select(split.holdout)
    return measure_and_refit(chances, neighbours, learned, holdout, split.holdout_start, seed)


def judge_baskets(
    ranks: Mapping[str, NDArray[np.float64]], data: TrainingData, seed: int, *, is_forced: bool
) -> Verdict:
    """Ask the gate about the neighbours; if forced, approve in any case, and record that."""
    hits = {name: (rank < GATED_BASKET_CUT).astype(np.float64) for name, rank in ranks.items()}
    live: NDArray[np.float64] | float | None = hits.get(NAME_IN_USE)
    if live is None and data.in_use:
        live = recorded_floor(data.in_use, f"hit@{GATED_BASKET_CUT}", "basket", NEIGHBOURS)
    period = held_out_days(data.split)
    decision = decide_publication(hits[NEIGHBOURS], hits["popularity"], live, seed, period, BASKETS_BY_HITS)
    return Verdict(
        is_approved=decision.is_published or is_forced,
        reason=decision.reason,
        is_forced=is_forced and not decision.is_published,
    )


def fit_baskets(
    data: TrainingData, parameters: RankingParameters, exponents: PairExponents, chances: BasketChances, step: Step
) -> FinalModels:
    """Fit on everything; no account has a list. chances: learned on the newest window."""
    goods, as_of = data.goods, data.split.as_of
    neighbours = fit_neighbours(goods, as_of, parameters, exponents)
    step("mine the relationships between products")
    counted = count_baskets(goods)
    valued = data.history.valued_products(data.day)
    relationships = mine_relationships(goods, valued, counted=counted)
    owned, lists = owned_matrix(goods), _no_lists(goods.n_products)
    step("count the customers behind each reason")
    evidence = count_evidence(*named_pairs(neighbours, lists), *counted, owned)
    return FinalModels(
        als=None,
        owned=owned,
        popularity=fit_popularity(goods, as_of, parameters).popularity,
        neighbours=neighbours,
        basket_chances=replace(chances, rates=order_rates(goods, as_of)),
        relationships=relationships,
        evidence=evidence,
        lists=lists,
        p=np.full(lists.products.shape, np.nan, dtype=np.float32),
        repurchases=learn_repurchases(goods, valued, owned, None),
    )


def _no_accounts(data: TrainingData, currency: str | None) -> LearnedAccounts:
    """The sections about accounts, of no account. The history of segments in the artifact in use is not continued."""
    history, split = data.history, data.split
    valued = history.valued_products(data.day)
    learned, _ = learn_accounts(
        data.interactions, valued, history.accounts, split.as_of, None, currency, split.zone.name
    )
    return learned


def _no_lists(n_products: int) -> CandidateLists:
    width = min(CANDIDATES, n_products)
    return CandidateLists(
        products=np.empty((0, width), dtype=np.int32),
        scores=np.empty((0, width), dtype=np.float32),
        reasons=np.empty((0, min(EXPLAINED, width), 2), dtype=np.int32),
        owned_scores=np.empty(0, dtype=np.float32),
    )
