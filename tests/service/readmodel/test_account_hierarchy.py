"""The hierarchy of accounts in memory, against one that is worked out from plain dictionaries."""

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from models.artifact.ids import IdIndex, in_hash_order
from service.readmodel.account_hierarchy import MAX_LEVELS, MIN_GONE, AccountHierarchy
from service.readmodel.visible_accounts import VisibleAccounts, visible_accounts

LEARNED = [f"learned {number}" for number in range(6)]
NAMES = [*LEARNED, *(f"stranger {number}" for number in range(6))]


def accounts() -> VisibleAccounts:
    return visible_accounts(IdIndex.from_ids(in_hash_order(LEARNED)))


def expected_ancestors(parents: Mapping[str, str], account_id: str) -> list[str]:
    """What is on a cycle, below one, or below the last level has no parent."""

    def above(each: str) -> list[str]:
        path: list[str] = []
        while each in parents and len(path) <= MAX_LEVELS:
            each = parents[each]
            path.append(each)
        return path

    kept = {child: parent for child, parent in parents.items() if len(above(child)) < MAX_LEVELS}
    path: list[str] = []
    while account_id in kept:
        account_id = kept[account_id]
        path.append(account_id)
    return path


links = st.dictionaries(st.sampled_from(NAMES), st.none() | st.sampled_from(NAMES), max_size=12)


@settings(max_examples=200)
@given(st.lists(links, max_size=4))
def test_any_changes_leave_what_a_plain_dictionary_would_hold(changes: list[dict[str, str | None]]) -> None:
    hierarchy, parents = AccountHierarchy(accounts()), dict[str, str]()

    for change in changes:
        parents |= {child: parent for child, parent in change.items() if parent is not None}
        parents = {child: parent for child, parent in parents.items() if change.get(child, parent) is not None}
        hierarchy.replace(change, {child: parent for child, parent in change.items() if parent is not None})

    ancestors = {name: expected_ancestors(parents, name) for name in NAMES}
    assert {name: hierarchy.now.ancestors(name) for name in NAMES} == ancestors
    for name in NAMES:
        group = hierarchy.now.group(name)
        assert (group[0], len(set(group))) == (name, len(group))
        assert set(group) == {name, *(other for other in NAMES if name in ancestors[other])}
    assert dict(hierarchy.now.links()) == parents
    assert set(hierarchy.account_ids()) == {*parents, *parents.values()} - set(LEARNED)


def test_it_says_whose_parent_changed() -> None:
    hierarchy = AccountHierarchy(accounts())
    hierarchy.replace((), {"a": "b", "c": "b"})
    before = hierarchy.now

    assert hierarchy.replace(["a", "b"], {"a": "b"}) == set()
    assert hierarchy.now is before
    assert hierarchy.replace(["a", "c"], {"a": "c"}) == {"a", "c"}


def test_an_erased_account_is_nobodys_parent_and_its_name_is_gone() -> None:
    index = accounts()
    hierarchy = AccountHierarchy(index)
    hierarchy.replace((), {"a": LEARNED[0], LEARNED[0]: "top", "b": "top", LEARNED[1]: "b"})
    row = index.row_of(LEARNED[0])
    assert row is not None

    index.hide([row])
    hierarchy.erase(["top"], [row])

    assert [hierarchy.now.ancestors(name) for name in ("a", "b", LEARNED[0], LEARNED[1])] == [[], [], [], ["b"]]
    assert set(hierarchy.account_ids()) == {"b"}
    assert "top" not in hierarchy.now.strangers
    assert hierarchy.take_left() == set()


def test_it_remembers_once_who_lost_a_subsidiary() -> None:
    index = accounts()
    hierarchy = AccountHierarchy(index)
    hierarchy.replace((), {LEARNED[0]: "b", "b": "c", "x": "y"})
    row = index.row_of(LEARNED[0])
    assert row is not None

    index.hide([row])
    hierarchy.erase([], [row])
    hierarchy.replace(["x"], {})

    assert [hierarchy.take_left(), hierarchy.take_left()] == [{"b", "c", "y"}, set()]


def test_links_without_room_are_left_out_and_it_says_so() -> None:
    hierarchy = AccountHierarchy(accounts(), max_strangers=2)

    hierarchy.replace((), {"a": "b", LEARNED[0]: LEARNED[1]})
    complete = hierarchy.now.is_complete
    hierarchy.replace((), {"c": "a"})

    assert (complete, hierarchy.now.is_complete) == (True, False)
    assert hierarchy.now.parent_of("a") == "b"
    assert hierarchy.now.parent_of(LEARNED[0]) == LEARNED[1]
    assert hierarchy.now.parent_of("c") is None


def test_numbers_of_strangers_that_are_gone_are_given_anew() -> None:
    hierarchy = AccountHierarchy(accounts())
    names = [f"passing {number}" for number in range(MIN_GONE + 2)]
    hierarchy.replace((), {**dict.fromkeys(names, "top"), "stays": LEARNED[0]})
    hierarchy.replace(names, {})
    assert len(hierarchy.now.strangers) > MIN_GONE

    hierarchy.replace((), {"new": "stays"})

    assert len(hierarchy.now.strangers) == 2
    assert hierarchy.now.ancestors("new") == ["stays", LEARNED[0]]
