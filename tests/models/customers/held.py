"""A random shop's history, and the lines that each account has of each category."""

from collections import defaultdict

from models.artifact import Groups
from models.customers.groups import groups_of
from models.customers.holdings import holdings_of
from models.data.history import History
from models.data.interactions import owned_matrix
from tests.models.propensity.samples import AS_OF, DAY, OrderLine, random_shop

SHOP = random_shop(6).before(AS_OF)
AS_OF_DAY = AS_OF // DAY + 1
HORIZON_DAYS = 45.0
HISTORY: History = SHOP.history()
GROUPS: Groups = groups_of(HISTORY.products.categories, owned_matrix(HISTORY.interactions))
NAMES = list(GROUPS.names)
IDS = list(HISTORY.interactions.account_ids)
LINES: dict[tuple[int, int], list[OrderLine]] = defaultdict(list)
for _line in SHOP.lines:
    if _line.account is not None and SHOP.category(_line.product):
        LINES[IDS.index(_line.account), NAMES.index(SHOP.category(_line.product))].append(_line)


def day(line: OrderLine) -> int:
    return line.time // DAY


HOLDINGS = holdings_of(HISTORY.interactions, GROUPS, AS_OF_DAY)
