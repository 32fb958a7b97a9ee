"""What accounts bought of each group of products: counted line by line."""

from models.artifact import Groups
from models.artifact.dimensions import ACCOUNTS, PRODUCTS
from models.artifact.groups import NO_GROUP
from models.customers.holdings import holdings_of
from tests.models.customers.held import AS_OF_DAY, GROUPS, HISTORY, HOLDINGS, IDS, LINES, SHOP, day


def test_holdings_are_sums_of_an_account_s_lines_of_a_group() -> None:
    assert HOLDINGS.owner().tolist() == sorted(HOLDINGS.owner().tolist())
    held = {}
    for row in range(len(IDS)):
        entries = HOLDINGS.entries_of(row)
        assert HOLDINGS.group[entries].tolist() == sorted(HOLDINGS.group[entries].tolist())
        for place in range(entries.start, entries.stop):
            columns = (
                HOLDINGS.first_day, HOLDINGS.last_day, HOLDINGS.n_lines, HOLDINGS.spend_minor, HOLDINGS.recent_minor,
            )  # fmt: skip
            held[row, int(HOLDINGS.group[place])] = tuple(int(column[place]) for column in columns)

    expected = {}
    for pair, lines in LINES.items():
        bought = [day(line) for line in lines if line.quantity > 0]
        days = bought or [day(line) for line in lines]
        spend = [line.amount for line in lines]
        recent = [line.amount for line in lines if day(line) >= AS_OF_DAY - 365]
        expected[pair] = (min(days), max(days), len(bought), sum(spend), sum(recent))
    assert held == expected


def test_money_older_than_a_year_is_in_the_whole_and_not_in_the_recent() -> None:
    later = holdings_of(HISTORY.interactions, GROUPS, AS_OF_DAY + 250)

    assert later.spend_minor.sum() == HOLDINGS.spend_minor.sum()
    assert later.recent_minor.sum() == sum(
        line.amount for lines in LINES.values() for line in lines if day(line) >= AS_OF_DAY + 250 - 365
    )
    assert later.recent_minor.sum() != later.spend_minor.sum()


def test_without_groups_nothing_is_held() -> None:
    no_groups = Groups.empty({ACCOUNTS: len(IDS), PRODUCTS: len(SHOP.products)})

    nothing = holdings_of(HISTORY.interactions, no_groups, AS_OF_DAY)

    assert len(nothing.group) == 0
    assert [nothing.entries_of(row) for row in range(len(IDS))] == [slice(0, 0)] * len(IDS)


def test_products_without_a_category_are_in_no_group() -> None:
    for name, group in zip(HISTORY.products.categories, GROUPS.of_product, strict=True):
        assert (group == NO_GROUP) == (name == "")
