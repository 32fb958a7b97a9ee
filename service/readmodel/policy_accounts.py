"""What the account contributes to policies: the value of each of their terms of accounts, for every account."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, reduce
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.artifact import Content
from models.artifact.segments import read_segment_report
from service.readmodel.account_hierarchy import NO_NODE, AccountHierarchy, Hierarchy, Nodes
from service.readmodel.factors import FactorColumn
from service.readmodel.kleene import FALSE, TRUE, UNKNOWN, evaluate
from service.readmodel.live_state import LiveState
from service.readmodel.ownership import Ownership
from service.readmodel.parent_attributes import NO_PARENTS, ParentAttributes
from service.readmodel.policies import leaves_of
from service.readmodel.policy_grammar import InSegmentRule, PolicyAttributeRule, PolicyOwnsRule
from service.readmodel.profiles import UNKNOWN_ROW, Profiles
from service.readmodel.related_owners import GROUP, PARENT, RelatedOwners, Relation
from service.readmodel.rule_evaluation import matches
from service.readmodel.rule_grammar import FIELDS, AttributeRule, FieldRule, Owned
from service.readmodel.segment_membership import SegmentMembership

ANY_ACCOUNT: Final = "any account that nobody knows"
Attributes = Mapping[str, FactorColumn]
"""By name, a column of what is stored of some accounts."""


class AccountColumns:
    """Some accounts as they are now, for conditions to be evaluated on.

    account_ids: of any accounts. rows: theirs in the artifact, or UNKNOWN_ROW. attributes: theirs.
    parents: the attributes of the accounts above them.
    """

    def __init__(
        self,
        state: LiveState,
        account_ids: Sequence[str],
        rows: NDArray[np.int64],
        attributes: Attributes,
        parents: ParentAttributes = NO_PARENTS,
    ) -> None:
        places = {account_id: place for place, account_id in enumerate(account_ids)}
        self._account_ids = account_ids
        self._parents = parents
        self._fill(state, rows, attributes, places.get)

    @classmethod
    def of_artifact(
        cls, state: LiveState, attributes: Attributes, parents: ParentAttributes = NO_PARENTS
    ) -> "AccountColumns":
        """Return the columns of all accounts of the artifact, in its order."""
        columns = object.__new__(cls)
        columns._account_ids = state.content.account_ids.texts
        columns._parents = parents
        rows = np.arange(len(state.content.account_ids))
        columns._fill(state, rows, attributes, state.content.account_ids.row_of)
        return columns

    def _fill(
        self,
        state: LiveState,
        rows: NDArray[np.int64],
        attributes: Attributes,
        place_of: Callable[[str], int | None],
    ) -> None:
        self._membership = state.part(SegmentMembership)
        self._segments = learned_segments(state.content)
        self._codes = state.content.segments.codes
        self._attributes = attributes
        self._is_known = rows != UNKNOWN_ROW
        self._state, self._rows = state, rows
        self._related: dict[Relation, RelatedOwners] = {}
        owners = tuple(state.part(Ownership).by_account.items())
        is_strategic = np.zeros(len(rows), dtype=np.bool_)
        is_strategic[[place for each in self._membership.strategic if (place := place_of(each)) is not None]] = True
        self.profiles = Profiles(
            state.content,
            read_segment_report(state.content.segments).get("as_of_day", 0),
            rows,
            {place: owner.owned for each, owner in owners if (place := place_of(each)) is not None},
            is_strategic,
            (),
        )

    def values_of(self, terms: Sequence[Any]) -> NDArray[np.int8]:
        """Return the value of each term for each account: int8 (n, n_terms)."""
        values = np.empty((self.profiles.n, len(terms)), dtype=np.int8)
        for number, term in enumerate(terms):
            values[:, number] = evaluate(term, self.value_of)
        return values

    def value_of(self, condition: Any) -> NDArray[np.int8]:
        """Return the value of a condition on accounts: int8 (n,)."""
        if isinstance(condition, FieldRule):
            return self._field(condition)
        if isinstance(condition, PolicyAttributeRule) and condition.by is not None:
            return self._unless_links_are_missing(self._parents.value_above(self._hierarchy, self._nodes, condition))
        if isinstance(condition, AttributeRule):
            return self._attributes[condition.attribute].compare(condition)
        if isinstance(condition, InSegmentRule):
            return reduce(np.maximum, map(self._in_segment, condition.in_segment))
        if isinstance(condition, PolicyOwnsRule) and condition.by is not None:
            return self._related_owns(condition.owns, condition.by)
        return (TRUE * matches(condition, self.profiles)).astype(np.int8)

    @cached_property
    def _hierarchy(self) -> Hierarchy:
        return self._state.part(AccountHierarchy).now

    @cached_property
    def _nodes(self) -> Nodes:
        """Int32 (n,): the accounts' numbers in the hierarchy, or NO_NODE."""
        strangers = np.flatnonzero(~self._is_known)
        nodes = self._rows.astype(np.int32)
        nodes[strangers] = [
            self._hierarchy.numbers.get(self._account_ids[each], NO_NODE) for each in strangers.tolist()
        ]
        return nodes

    def _related_owns(self, owns: Owned, relation: Relation) -> NDArray[np.int8]:
        """Tell which accounts are related to an owner."""
        names = owns.kind, getattr(owns, owns.kind)
        if relation not in self._related:
            self._related[relation] = RelatedOwners(self._state, self._hierarchy, self._nodes, relation)
        is_owner = self._related[relation].owns(*names)
        if relation == GROUP:
            is_owner = is_owner | self.profiles.owns(*names)
        return self._unless_links_are_missing((TRUE * is_owner).astype(np.int8))

    def _unless_links_are_missing(self, values: NDArray[np.int8]) -> NDArray[np.int8]:
        """Where memory had no room for all links, what is not true is unknown."""
        return values if self._hierarchy.is_complete else np.maximum(values, UNKNOWN).astype(np.int8)

    def _field(self, condition: FieldRule) -> NDArray[np.int8]:
        is_known = matches(FieldRule(field=condition.field, op="is_known"), self.profiles)
        if FIELDS[condition.field].kind == "flag" and condition.field != "is_strategic":
            is_known = is_known & self._is_known
        is_true = is_known if condition.op == "is_known" else matches(condition, self.profiles)
        unknown = FALSE if condition.op == "is_known" else UNKNOWN
        return np.where(is_known, TRUE * is_true, unknown).astype(np.int8)

    def _in_segment(self, segment_id: str) -> NDArray[np.int8]:
        """Tell who is in a segment. Of an account that the artifact does not know only segments of rules are known."""
        is_known, rows = self._is_known, self.profiles.rows[self._is_known]
        values = np.full(len(is_known), UNKNOWN, dtype=np.int8)
        members = self._membership.find(segment_id)
        if members is not None:
            values[is_known] = TRUE * self._membership.ranked_accounts.has(members, rows)
            for place in np.flatnonzero(~is_known).tolist():
                account_id = self._account_ids[place]
                if account_id in members.newcomers:
                    values[place] = TRUE
                elif account_id in self._membership.newcomers:
                    values[place] = FALSE
        elif segment_id in self._segments:
            column, code = self._segments[segment_id]
            values[is_known] = TRUE * (self._codes[rows, column] == code)
        return values


def learned_segments(content: Content) -> dict[str, tuple[int, int]]:
    """Return the segments that the artifact knows, each with its family's column and its code."""
    families = read_segment_report(content.segments).get("families", ())
    return {
        entry["id"]: (column, code)
        for column, family in enumerate(families)
        for code, entry in enumerate(family["segments"])
    }


def attribute_names(terms: Iterable[Any]) -> list[str]:
    """Return the attributes of accounts that some terms ask for."""
    return _names_of(terms, of_parents=False)


def parent_attribute_names(terms: Iterable[Any]) -> list[str]:
    """Return the attributes of the accounts above that some terms ask for."""
    return _names_of(terms, of_parents=True)


def _names_of(terms: Iterable[Any], *, of_parents: bool) -> list[str]:
    conditions = (condition for term in terms for condition in leaves_of(term))
    asked = (condition for condition in conditions if isinstance(condition, AttributeRule))
    return sorted({each.attribute for each in asked if (getattr(each, "by", None) is not None) == of_parents})


def relations_of(terms: Iterable[Any]) -> set[Relation]:
    """Return how the accounts are related that some terms ask for."""
    relations = {getattr(condition, "by", None) for term in terms for condition in leaves_of(term)}
    return {relation for relation in (PARENT, GROUP) if relation in relations}


def attribute_columns(
    names: Sequence[str], account_ids: Sequence[str], stored: Mapping[str, Mapping[str, Any]]
) -> dict[str, FactorColumn]:
    """Return columns of some attributes of some accounts."""
    n = len(account_ids)
    items = [(place, stored[account_id]) for place, account_id in enumerate(account_ids) if account_id in stored]
    return {name: FactorColumn.from_values(n, ((place, of.get(name)) for place, of in items)) for name in names}


class AccountTerms:
    """The values of all terms of accounts. It has one writer and many readers.

    terms:   what is asked. matrix: int8 (A, n_terms), for the artifact's accounts; without any rows, all are others.
    by_account: for accounts that the matrix does not have.
    nobody:  for a request without an account. stranger: for an account that is stored nowhere.
    """

    def __init__(self, state: LiveState, terms: Sequence[Any], matrix: NDArray[np.int8]) -> None:
        self.terms = terms
        self.matrix = matrix
        self.by_account: dict[str, bytes] = {}
        self.nobody = bytes(int(evaluate(term, _of_nobody)) for term in terms)
        none = {name: FactorColumn.from_values(1, ()) for name in attribute_names(terms)}
        columns = AccountColumns(state, [ANY_ACCOUNT], np.array([UNKNOWN_ROW]), none)
        self.stranger = columns.values_of(terms).tobytes()

    def values(self, account_id: str | None, row: int) -> bytes:
        """Return the values of one account. row: where the artifact has it, or UNKNOWN_ROW."""
        if account_id is None:
            return self.nobody
        if row != UNKNOWN_ROW and len(self.matrix):
            stored: NDArray[np.int8] = self.matrix[row]
            return stored.tobytes()
        return self.by_account.get(account_id, self.stranger)

    def place(
        self,
        state: LiveState,
        account_ids: Sequence[str],
        attributes: Attributes,
        parents: ParentAttributes = NO_PARENTS,
    ) -> None:
        """Work out the values of some accounts anew. attributes: of these, in their order. parents: of those above."""
        if not self.terms or not account_ids:
            return
        row_of = state.content.account_ids.row_of
        rows = [row_of(account_id) for account_id in account_ids]
        known = np.array([UNKNOWN_ROW if row is None else row for row in rows], dtype=np.int64)
        values = AccountColumns(state, account_ids, known, attributes, parents).values_of(self.terms)
        has_row = (known != UNKNOWN_ROW) & (known < len(self.matrix))
        if has_row.any():
            # Whoever reads meanwhile has a row as it was or as it is.
            self.matrix[known[has_row]] = values[has_row]
        others = np.flatnonzero(~has_row).tolist()
        self.by_account.update((account_ids[place], values[place].tobytes()) for place in others)


def _of_nobody(condition: Any) -> int:
    return FALSE if getattr(condition, "op", None) == "is_known" else UNKNOWN
