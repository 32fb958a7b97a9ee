"""What one training run learns from: the order lines that count, the windows, and the artifact in use."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from models.artifact import Artifact, ArtifactInvalid, Products, open_artifact
from models.data.accounts import AccountFacts
from models.data.errors import HistoryInvalid
from models.data.extra_scores import ExtraScores
from models.data.history import History
from models.data.interactions import GUEST, Interactions
from models.data.plausible_times import describe_left_out, is_plausible
from models.data.split import DAY_SECONDS, Split, format_local, midnight_after, split_by_time

SOURCE = "the sales history"


@dataclass(frozen=True)
class TrainingOptions:
    """What one training run is asked for.

    as_of: local seconds of the history's zone, by default the midnight after the last line of a plausible time.
    factors_folder: where the factors of ALS are written, if anywhere.
    now:   epoch seconds; by default the clock's.
    extra_scores: of another system, to be blended with the rankers' scores; rows as in the history.
    is_basket_only: whether to learn from baskets alone, with every order taken as a guest's.
    """

    as_of: int | None = None
    horizon_days: int = 90
    seed: int = 0
    is_forced: bool = False
    now: int | None = None
    label: str = ""
    factors_folder: Path | None = None
    is_basket_only: bool = False
    extra_scores: ExtraScores | None = None


@dataclass(frozen=True)
class TrainingData:
    """A history, cut and split.

    interactions: the lines until the as-of. goods: those of merchandise, which the split is of.
    in_use: the artifact in use, which the new one must not fall behind.
    """

    history: History
    interactions: Interactions
    goods: Interactions
    split: Split
    in_use: Artifact | None

    @property
    def day(self) -> int:
        """The day of the as-of, since 1970."""
        return self.split.as_of // DAY_SECONDS


def prepare_data(history: History, options: TrainingOptions, in_use_folder: Path | None) -> TrainingData:
    """Choose the lines to learn from, and split them; raises HistoryInvalid if there is too little to learn from."""
    if options.is_basket_only:
        history = without_accounts(history)
    interactions, left_out = _select_lines(history, options)
    _check_lines(interactions, _until(history, options), is_basket_only=options.is_basket_only)
    as_of = options.as_of or midnight_after(interactions.time)
    goods = merchandise_of(interactions, history.products, is_basket_only=options.is_basket_only)
    split = split_by_time(goods, as_of, options.horizon_days, options.seed, history.zone)
    split = replace(split, notice="; ".join(filter(None, (split.notice, left_out))))
    return TrainingData(history, interactions, goods, split, open_in_use(in_use_folder))


def without_accounts(history: History) -> History:
    """Take every order as a guest's, and forget the accounts."""
    lines = history.interactions
    guests = np.full(lines.n_lines, GUEST, dtype=np.int32)
    interactions = replace(lines, account=guests, account_ids=np.empty(0, dtype=object))
    return replace(history, interactions=interactions, accounts=AccountFacts.none(0))


def merchandise_of(interactions: Interactions, products: Products, *, is_basket_only: bool = False) -> Interactions:
    """Leave out fees, shipping, gift cards and the like: nothing is to be learned from them of what goes together."""
    if products.is_merchandise.all():
        return interactions
    goods = interactions.select(products.is_merchandise[interactions.product])
    if not (is_basket_only or goods.is_known.any()):
        raise HistoryInvalid(SOURCE, ["no order line of an account names merchandise"])
    if not (goods.quantity > 0).any():
        raise HistoryInvalid(SOURCE, ["no merchandise was bought"])
    return goods


def open_in_use(folder: Path | None) -> Artifact | None:
    """Open the artifact in use; None where there is none, or a broken one, which is nothing to compare with."""
    try:
        return open_artifact(folder) if folder else None
    except ArtifactInvalid:
        return None


def _select_lines(history: History, options: TrainingOptions) -> tuple[Interactions, str]:
    """The lines to learn from, and a note on those that are left out for their times."""
    interactions = history.interactions
    if options.as_of is not None:
        return interactions.select(interactions.time < options.as_of), ""
    now = options.now if options.now is not None else int(time.time())
    is_kept = is_plausible(interactions.time, history.zone.to_local_second(now))
    if is_kept.all():
        return interactions, ""
    left_out = describe_left_out(interactions, is_kept)
    if not is_kept.any():
        raise HistoryInvalid(SOURCE, [left_out])
    return interactions.select(is_kept), left_out


def _until(history: History, options: TrainingOptions) -> str:
    """The end of the history in words, where one was asked for."""
    return f" before {format_local(options.as_of, history.zone)}" if options.as_of is not None else ""


def _check_lines(interactions: Interactions, until: str, *, is_basket_only: bool) -> None:
    """Raise HistoryInvalid where no line names an account, or for baskets alone, where nothing was bought."""
    if is_basket_only:
        if not (interactions.quantity > 0).any():
            raise HistoryInvalid(SOURCE, [f"nothing was bought{until}"])
    elif not interactions.is_known.any():
        problem = f"no order line{until} names an account"
        if interactions.n_lines:
            problem += ": all orders are guests'. To learn from their baskets alone, train with --basket-only"
        raise HistoryInvalid(SOURCE, [problem])
