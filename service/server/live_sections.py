"""The live sections of the application. A section comes after those that it reads."""

from typing import Final

from service.accounts.live import ACCOUNT_CACHE, HIERARCHY, OBJECTIONS
from service.arbitration.live import ARBITRATION
from service.catalogue.live import CATALOGUE
from service.deals.live import DEALS
from service.goals.live import GOALS
from service.orders.live import OWNERSHIP
from service.policies.caps import CAP_USES
from service.policies.contacts import CONTACTS
from service.policies.live import POLICIES
from service.segments.live import SEGMENTS
from service.sync.sections import LiveSection
from service.tombstones.live import ERASURES

LIVE_SECTIONS: Final[tuple[LiveSection, ...]] = (
    ERASURES, CATALOGUE, OWNERSHIP, OBJECTIONS, HIERARCHY, DEALS, SEGMENTS, POLICIES, CONTACTS, CAP_USES, ARBITRATION,
    ACCOUNT_CACHE, GOALS,
)  # fmt: skip
