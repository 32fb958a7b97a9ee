"""Refuses policies that name what does not exist, or can never match."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from difflib import get_close_matches
from functools import cached_property
from typing import Any, Final

from sqlalchemy import Connection, select

from service.catalogue.tables import Product
from service.policies.errors import PolicyRefused
from service.policies.schemas import PolicyIn
from service.readmodel.attribute_types import RuleNeverMatches, check_attributes
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.contact_policies import Counted
from service.readmodel.kleene import TRUE
from service.readmodel.live_state import LiveState
from service.readmodel.policies import PolicyScope
from service.readmodel.policy_grammar import PRODUCT_CONDITIONS, InSegmentRule
from service.readmodel.product_columns import ProductColumns
from service.readmodel.rule_grammar import AnyRule, AttributeRule, Owned, OwnsRule, Rule, conditions_of
from service.segments.queries import known_segments, read_attributes
from service.storage.bulk import in_chunks

_COLUMNS: Final = {"products": Product.product_id, "lines": Product.line, "categories": Product.category}
_SINGULAR: Final = {"products": "product", "lines": "line", "categories": "category"}


class PolicyChecks:
    """Checks of policies against what there is now; it is read once for all of them.

    state: None while there is no artifact: less is checked then. kept_days: for how long decisions are kept.
    """

    def __init__(self, connection: Connection, state: LiveState | None, kept_days: float) -> None:
        self._connection = connection
        self._state = state
        self._kept_days = kept_days

    def check(self, policy: PolicyIn) -> None:
        """Raise PolicyRefused or RuleNeverMatches."""
        if (
            policy.limit is not None
            and policy.limit.counts is Counted.DECIDED
            and policy.limit.window.window.longest > timedelta(days=self._kept_days)
        ):
            raise PolicyRefused(
                f"The limit's window is longer than decisions are kept, {self._kept_days:g} days: older contacts would "
                "not be counted. Make it shorter, or raise NEXTOFFER_DECISION_RETENTION_DAYS."
            )
        if policy.scope is not None:
            self.check_scope(policy.scope)
        conditions = [] if policy.rule is None else list(conditions_of(policy.rule))
        for condition in conditions:
            if isinstance(condition, OwnsRule):
                self._check_names(condition.owns, "The rule asks who owns")
            if isinstance(condition, InSegmentRule):
                self._check_segments(condition.in_segment)
        attribute_rules: list[Rule] = [condition for condition in conditions if isinstance(condition, AttributeRule)]
        if attribute_rules:
            check_attributes(AnyRule(any=attribute_rules), self._attributes)
        if self._columns is not None:
            _check_products(conditions, self._columns, policy.scope)

    def check_scope(self, scope: PolicyScope) -> None:
        """Raise PolicyRefused unless each name of a scope is of a product, line or category."""
        self._check_names(scope, "The scope names")

    @cached_property
    def _attributes(self) -> Mapping[str, Mapping[str, Any]]:
        return read_attributes(self._connection)

    @cached_property
    def _columns(self) -> ProductColumns | None:
        return None if self._state is None else ProductColumns(self._state.part(CatalogueView))

    @cached_property
    def _segment_ids(self) -> set[str]:
        return known_segments(self._connection, None if self._state is None else self._state.content)

    def _check_names(self, named: Owned, begin: str) -> None:
        """Raise PolicyRefused unless each name is of a product, line or category, in the database or the artifact."""
        names: Sequence[str] = getattr(named, named.kind)
        column = _COLUMNS[named.kind]
        known = {
            name
            for chunk in in_chunks(list(names))
            for name in self._connection.scalars(select(column).where(column.in_(chunk)).distinct())
        }
        missing = [name for name in names if name not in known]
        if not missing:
            return
        in_memory = set() if self._columns is None else self._columns.names(named.kind)
        missing = [name for name in missing if name not in in_memory]
        if missing:
            others = in_memory.union(name for name in self._connection.scalars(select(column).distinct()) if name)
            what = f"{begin} the {_SINGULAR[named.kind]} {missing[0]!r}, which does not exist."
            raise PolicyRefused(what + _hint(missing[0], others))

    def _check_segments(self, names: Iterable[str]) -> None:
        for name in names:
            # Which segments an artifact has can't be known without one.
            if name not in self._segment_ids and (self._state is not None or name.startswith("custom.")):
                raise PolicyRefused(f"There is no segment {name!r}.{_hint(name, self._segment_ids)}")


def _check_products(conditions: Iterable[Any], columns: ProductColumns, scope: PolicyScope | None) -> None:
    """Raise RuleNeverMatches for the first condition that is true of no product in scope."""
    in_scope = columns.in_scope(scope)
    if not in_scope.any():  # Products that are new since the artifact: nothing is known of them here.
        return
    for condition in conditions:
        if isinstance(condition, PRODUCT_CONDITIONS) and not (columns.value_of(condition)[in_scope] == TRUE).any():
            asked = condition.model_dump_json(exclude_none=True)
            whose = "product" if scope is None else "product in its scope"
            raise RuleNeverMatches(f"The condition {asked} is true of no {whose}: it can never match.")


def _hint(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, sorted(known), 3)
    return f" Did you mean {', '.join(close)}?" if close else ""
