"""Learn accounts' value, activity, holdings and segments."""

from dataclasses import dataclass
from typing import Any

from models.artifact import NO_NUMBER, Activity, Artifact, Customers, Groups, Holdings, IdIndex, Products, Segments
from models.artifact.measures import Measured
from models.customers.activity import activity_of
from models.customers.clusters import cluster_accounts
from models.customers.groups import groups_of
from models.customers.holdings import holdings_of
from models.customers.measure import learn_customers
from models.customers.segments import learn_segments
from models.data.accounts import AccountFacts
from models.data.interactions import Interactions, owned_matrix
from models.data.split import DAY_SECONDS

CLUSTER_SEED = 0


@dataclass(frozen=True)
class LearnedAccounts:
    """The sections of an artifact's content about accounts; see ``models.artifact.content.Content``."""

    customers: Customers
    activity: Activity
    lines: Groups
    categories: Groups
    line_holdings: Holdings
    category_holdings: Holdings
    segments: Segments


def learn_accounts(
    interactions: Interactions,
    products: Products,
    facts: AccountFacts,
    as_of: int,
    before: Artifact | None,
    currency: str | None = None,
    timezone: str = "UTC",
) -> tuple[LearnedAccounts, dict[str, Any]]:
    """Value and segment every account as of a time (local seconds); return that, and the models for the report.

    products: with margins in the reporting currency.
    before: the artifact in use, whose snapshots of segments are continued.
    currency: of all money, None where it is not known. timezone: of days.
    """
    customers, described = learn_customers(interactions, as_of)
    owned = owned_matrix(interactions)
    lines, categories = groups_of(products.lines, owned), groups_of(products.categories, owned)
    activity = activity_of(interactions, products.margins_minor)
    has_margins = bool((products.margins_minor != NO_NUMBER).any())
    as_of_day = -(-as_of // DAY_SECONDS)
    measured = Measured(customers, activity, lines, as_of_day, has_margins)
    of_line, of_category = (holdings_of(interactions, groups, as_of_day) for groups in (lines, categories))
    clusters = cluster_accounts(interactions, (categories, lines), CLUSTER_SEED)
    ids = IdIndex.from_ids(interactions.account_ids.tolist())
    segments = learn_segments(measured, facts.is_strategic, clusters, ids, before, currency, timezone)
    described |= {"clusters": {"n": len(clusters.traits), "silhouette": clusters.silhouette}}
    return LearnedAccounts(customers, activity, lines, categories, of_line, of_category, segments), described
