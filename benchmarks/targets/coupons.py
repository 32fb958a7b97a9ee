"""Who redeems a coupon of a campaign that was sent to them: The Complete Journey.

An example is a household and a campaign that it received; it is true if the household redeemed at least one coupon of
it. Features are known before the campaign starts, and they are rates or shares: counts since the data begin grow from
campaign to campaign, and a model that learned from them in spring predicts too much in autumn. Learned from campaigns
that start February to July 2017, of which only what had happened when the first reported one started is known. The
features were chosen on these campaigns alone, as the penalty and the calibration are at each run: those of May to July
are predicted by models of the campaigns before them. Reported from August.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from benchmarks.targets.journey import UNKNOWN, Floats, Ints, Journey
from models.evaluate.calibration import Predictions
from models.propensity.classifier import fit_classifier
from models.propensity.cross import Part, fit_on_all

DAY = 86_400
WEEK = 7 * DAY
WINDOW = 12 * WEEK
LEARN_FROM, CALIBRATE_FROM, REPORT_FROM = (
    int(np.datetime64(date, "s").astype(np.int64)) for date in ("2017-02-01", "2017-05-01", "2017-08-01")
)
INVERSE_REGULARIZATIONS = (0.01, 0.03, 0.1)
PLAIN = 9
"""The features of the floor, which come last."""


@dataclass(frozen=True)
class Examples:
    """Households and campaigns: features float32 (n, F), and the campaign's start."""

    features: NDArray[np.float32]
    household: Ints
    campaign: Ints
    start: Ints


@dataclass(frozen=True)
class CampaignStart:
    """The start of a campaign, and the order lines that are known then."""

    journey: Journey
    campaign: int

    @property
    def start(self) -> int:
        return int(self.journey.starts[self.campaign])

    @property
    def all(self) -> slice:
        """Every line before the campaign."""
        return slice(0, int(np.searchsorted(self.journey.lines.time, self.start)))

    @property
    def recent(self) -> slice:
        """The lines of the window before the campaign."""
        return slice(int(np.searchsorted(self.journey.lines.time, self.start - WINDOW)), self.all.stop)

    def weeks(self, lines: slice) -> float:
        """How long these lines took; the data may begin within the window."""
        begin = int(self.journey.lines.time[0]) // DAY * DAY
        return (self.start - (begin if lines.start == 0 else max(begin, self.start - WINDOW))) / WEEK

    def count(self, lines: slice, weights: NDArray[np.generic] | None = None) -> Floats:
        """Lines, or the sum of their weights, of each household."""
        household = self.journey.lines.household[lines]
        counted = np.bincount(household, weights, self.journey.n_households)
        return np.asarray(counted, dtype=np.float64)


def predict_coupons(journey: Journey) -> dict[str, Predictions]:
    """Predict the campaigns from August on: ours, a plain logistic of nine counts, and the share of the training.

    The data end with the year, some campaigns later; those that were over by then are also reported alone.
    """
    examples = examples_of(journey)
    learned, reported = (np.flatnonzero(is_it) for is_it in _windows(examples))
    known = is_redeemed(journey, examples, by=int(examples.start[reported].min()))[learned]
    features, later = examples.features[learned], examples.features[reported]
    ours = fit_on_all(features[:, :-PLAIN], known, forward_parts(examples.start[learned]), INVERSE_REGULARIZATIONS)
    plain = fit_classifier(features[:, -PLAIN:], known, inverse_regularization=1.0)
    probabilities = {
        "ours": ours.predict(later[:, :-PLAIN]),
        "nine counts, plain logistic": plain.predict(later[:, -PLAIN:]),
        "share of the training": np.full(len(reported), known.mean()),
    }
    is_true = is_redeemed(journey, examples)[reported]
    household = examples.household[reported]
    predictions = {name: Predictions(p.astype(np.float64), is_true, household) for name, p in probabilities.items()}
    is_over = journey.ends[examples.campaign[reported]] <= journey.lines.time[-1]
    predictions["ours, over by the year's end"] = _only(predictions["ours"], is_over)
    return predictions


def forward_parts(start: Ints) -> list[Part]:
    """Each start from May on, predicted from all campaigns that started before it."""
    starts = np.unique(start[start >= CALIBRATE_FROM])
    return [(np.flatnonzero(start < first), np.flatnonzero(start == first)) for first in starts]


def is_redeemed(journey: Journey, examples: Examples, by: int | None = None) -> NDArray[np.bool_]:
    """Whether the household redeemed a coupon of the campaign, and did so before a time."""
    household, campaign, time = journey.redeemed
    pairs = household * len(journey.starts) + campaign
    happened = pairs if by is None else pairs[time < by]
    return np.isin(examples.household * len(journey.starts) + examples.campaign, happened)


def examples_of(journey: Journey) -> Examples:
    """Every household and campaign from February on."""
    campaigns = np.flatnonzero(journey.starts >= LEARN_FROM)
    rows = [journey.received[0][journey.received[1] == campaign_row] for campaign_row in campaigns]
    features = [
        _features(CampaignStart(journey, int(campaign_row)))[who]
        for campaign_row, who in zip(campaigns, rows, strict=True)
    ]
    campaign = np.repeat(campaigns, [len(who) for who in rows])
    return Examples(np.concatenate(features), np.concatenate(rows), campaign, journey.starts[campaign])


def _only(predictions: Predictions, is_kept: NDArray[np.bool_]) -> Predictions:
    return Predictions(predictions.p[is_kept], predictions.is_true[is_kept], predictions.account[is_kept])


def _windows(examples: Examples) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    return examples.start < REPORT_FROM, examples.start >= REPORT_FROM


def _features(now: CampaignStart) -> NDArray[np.float32]:
    """Float32 (households, F): ours, then the nine of the floor."""
    columns = [*_habits(now), *_tastes(now), *_redemptions(now), *_people(now), *_counts(now)]
    return np.column_stack(columns).astype(np.float32)


def _habits(now: CampaignStart) -> Iterator[Floats]:
    """How often the household comes with coupons of any kind, how much it buys, and how long ago it last came."""
    lines, recent, every = now.journey.lines, now.recent, now.all
    yield np.log1p(now.count(recent, lines.is_coupon_visit[recent]) / now.weeks(recent))
    with_coupon, visits = (now.count(every, kind[every]) for kind in (lines.is_coupon_visit, lines.is_visit))
    yield np.log((with_coupon + 0.2) / (visits + 4))
    yield np.log1p(now.count(recent, lines.spend[recent]) / now.weeks(recent))
    last = np.full(now.journey.n_households, lines.time[0])
    np.maximum.at(last, lines.household[every], lines.time[every])
    yield np.log1p((now.start - last) / DAY)


def _tastes(now: CampaignStart) -> Iterator[Floats]:
    """Whether the campaign's coupons are for what the household buys, and has used coupons for."""
    journey, lines, recent, every = now.journey, now.journey.lines, now.recent, now.all
    coupon, product = _coupon_products(now)
    is_meant = np.bincount(product, minlength=len(journey.categories)) > 0
    is_alike = np.isin(journey.categories, journey.categories[product])
    used = lines.has_coupon[every]
    yield np.log1p(12 * now.count(every, used & is_meant[lines.product[every]]) / now.weeks(every))
    yield np.log1p(now.count(every, used & is_alike[lines.product[every]]) / now.weeks(every))
    yield np.log1p(now.count(recent, is_meant[lines.product[recent]]) / now.weeks(recent))
    shape = (journey.n_households, len(journey.categories))
    place = (lines.household[recent], lines.product[recent])
    bought = csr_matrix((np.ones(len(place[0])), place), shape)
    is_for = csr_matrix((np.ones(len(coupon)), (product, coupon)), (shape[1], coupon.max() + 1))
    yield np.log((bought @ is_for > 0).sum(axis=1).A1 / is_for.shape[1] + 0.02)


def _redemptions(now: CampaignStart) -> Iterator[Floats]:
    """The outcome of the campaigns that the household had received, and the number of coupons it redeemed recently."""
    household, campaign, time = now.journey.redeemed
    is_before = time < now.start
    pairs = np.unique(household[is_before] * len(now.journey.starts) + campaign[is_before])
    n = now.journey.n_households
    yield np.log((np.bincount(pairs // len(now.journey.starts), minlength=n) + 0.2) / (_received(now) + 2))
    is_recent = is_before & (time >= now.start - WINDOW)
    yield np.log1p(4 * np.bincount(household[is_recent], minlength=n) / now.weeks(now.recent))


def _people(now: CampaignStart) -> Iterator[Floats]:
    """What kind of campaign it is, and who the household is."""
    yield np.full(now.journey.n_households, float(now.journey.kinds[now.campaign] == "A"))
    yield ((now.journey.incomes != UNKNOWN) | (now.journey.sizes != UNKNOWN)).astype(np.float64)
    yield now.journey.incomes.astype(np.float64)
    yield np.maximum(now.journey.sizes, 0).astype(np.float64)


def _counts(now: CampaignStart) -> Iterator[Floats]:
    """The floor: nine counts since the data begin, in logarithms, as one would write them down first."""
    journey, lines, every, n = now.journey, now.journey.lines, now.all, now.journey.n_households
    coupon, product = _coupon_products(now)
    is_meant = np.bincount(product, minlength=len(journey.categories)) > 0
    household, _, time = journey.redeemed
    yield np.log1p(now.count(every, lines.is_visit[every]))
    yield np.log1p(now.count(every, lines.spend[every]))
    yield np.log1p(now.count(every, lines.has_coupon[every]))
    yield np.log1p(now.count(every, is_meant[lines.product[every]]))
    yield np.log1p(_received(now))
    yield np.log1p(np.bincount(household[time < now.start], minlength=n))
    yield np.full(n, float(journey.kinds[now.campaign] == "A"))
    yield np.full(n, np.log1p(coupon.max() + 1))
    yield np.full(n, float(journey.ends[now.campaign] - now.start) / DAY)


def _coupon_products(now: CampaignStart) -> tuple[Ints, Ints]:
    """The campaign's coupons, numbered from 0, and the products that each is for."""
    coupon, product, campaign = now.journey.coupons
    is_its = campaign == now.campaign
    return np.unique(coupon[is_its], return_inverse=True)[1], product[is_its]


def _received(now: CampaignStart) -> Floats:
    """How many campaigns each household had received before."""
    household, campaign = now.journey.received
    is_before = now.journey.starts[campaign] < now.start
    return np.bincount(household[is_before], minlength=now.journey.n_households).astype(np.float64)
