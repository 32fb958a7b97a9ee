"""Rules of segments: against an evaluation account by account, and what is refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from service.readmodel.rule_evaluation import matches
from service.readmodel.rule_grammar import FIELDS, MAX_CONDITIONS, MAX_DEPTH, BoundedRule, reads_attributes

RULE: TypeAdapter[Any] = TypeAdapter(BoundedRule)
TEXTS = ("champions", "lost", "A", "B", "growing", "falling", "cluster.1")
ATTRIBUTES = (None, "12", 12, 12.5, True, False, "x", ["x"], {"a": 1})
PRODUCTS = ("pen", "ink", "cap")


@dataclass
class Table:
    """Accounts as mappings. Owned products stand for lines and categories, too."""

    accounts: Sequence[Mapping[str, Any]]

    @property
    def n(self) -> int:
        return len(self.accounts)

    def field(self, name: str) -> NDArray[Any]:
        values = [account["fields"][name] for account in self.accounts]
        kinds: dict[str, tuple[Any, Any]] = {
            "number": (np.float64, np.nan),
            "text": (object, ""),
            "flag": (bool, False),
        }
        kind, blank = kinds[FIELDS[name].kind]
        return np.array([blank if value is None else value for value in values], dtype=kind)

    def attribute(self, key: str) -> Sequence[object]:
        return [account["attributes"].get(key) for account in self.accounts]

    def owns(self, kind: str, names: Sequence[str]) -> NDArray[np.bool_]:
        return np.array([bool(set(names) & account["owned"]) for account in self.accounts], dtype=np.bool_)


def is_true(rule: Mapping[str, Any], account: Mapping[str, Any]) -> bool:
    """Evaluate a rule for one account, independently of the service."""
    if "all" in rule:
        return all(is_true(part, account) for part in rule["all"])
    if "any" in rule:
        return any(is_true(part, account) for part in rule["any"])
    if "not" in rule:
        return not is_true(rule["not"], account)
    if "owns" in rule:
        return bool(account["owned"].intersection(*rule["owns"].values()))
    actual = account["fields"][rule["field"]] if "field" in rule else account["attributes"].get(rule["attribute"])
    if actual is None:
        return False
    if rule["op"] == "is_known":
        return True
    operands = rule["values"] if "values" in rule else [rule["value"]]
    alike = [operand for operand in operands if sort(operand) == sort(actual) and sort(actual) is not None]
    if rule["op"] in ("eq", "in"):
        return actual in alike
    if rule["op"] in ("ne", "not_in"):
        return actual not in alike
    signs = {"lt": (-1,), "le": (-1, 0), "gt": (1,), "ge": (0, 1)}[rule["op"]]
    return any((actual > operand) - (actual < operand) in signs for operand in alike)


def sort(value: object) -> str | None:
    if isinstance(value, bool):
        return "flag"
    return {int: "number", float: "number", str: "text"}.get(type(value))


def fields_of(kind: str) -> list[str]:
    return [name for name, field in FIELDS.items() if field.kind == kind]


numbers = st.integers(-3, 3) | st.floats(-3, 3, allow_nan=False).map(lambda number: round(number, 1))
ORDERS = ["eq", "ne", "lt", "le", "gt", "ge"]


def compared(field: dict[str, st.SearchStrategy[Any]], values: st.SearchStrategy[Any], ops: list[str]) -> Any:
    return st.one_of(
        st.fixed_dictionaries(field | {"op": st.sampled_from(ops), "value": values}),
        st.fixed_dictionaries(
            field | {"op": st.sampled_from(["in", "not_in"]), "values": st.lists(values, min_size=1, max_size=3)}
        ),
        st.fixed_dictionaries(field | {"op": st.just("is_known")}),
    )


conditions = st.one_of(
    compared({"field": st.sampled_from(fields_of("number"))}, numbers, ORDERS),
    compared({"field": st.sampled_from(fields_of("flag"))}, st.booleans(), ["eq", "ne"]),
    compared({"field": st.just("rfm")}, st.sampled_from(["champions", "lost"]), ["eq", "ne"]),
    compared({"field": st.just("cluster")}, st.sampled_from(["cluster.1", "cluster.2"]), ["eq", "ne"]),
    compared({"attribute": st.sampled_from(["a", "b"])}, numbers | st.sampled_from(["12", "x"]), ORDERS),
    compared({"attribute": st.sampled_from(["a", "b"])}, st.booleans(), ["eq", "ne"]),
    st.fixed_dictionaries(
        {
            "owns": st.sampled_from(["products", "lines", "categories"]).flatmap(
                lambda kind: st.fixed_dictionaries({kind: st.lists(st.sampled_from(PRODUCTS), min_size=1, max_size=2)})
            )
        }
    ),
)
rules = st.recursive(
    conditions,
    lambda below: st.one_of(
        st.fixed_dictionaries({"all": st.lists(below, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"any": st.lists(below, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"not": below}),
    ),
    max_leaves=6,
)


def field_values(name: str) -> st.SearchStrategy[Any]:
    kind = FIELDS[name].kind
    if kind == "flag":
        return st.booleans()
    return st.none() | (numbers if kind == "number" else st.sampled_from(TEXTS))


accounts = st.fixed_dictionaries(
    {
        "fields": st.fixed_dictionaries({name: field_values(name) for name in FIELDS}),
        "attributes": st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(ATTRIBUTES)),
        "owned": st.sets(st.sampled_from(PRODUCTS)),
    }
)


def depth(rule: Mapping[str, Any]) -> int:
    below = [*rule.get("all", []), *rule.get("any", []), *([rule["not"]] if "not" in rule else [])]
    return 1 + max(map(depth, below), default=0)


@settings(deadline=None, max_examples=300)
@given(rule=rules.filter(lambda rule: depth(rule) <= MAX_DEPTH), table=st.lists(accounts, min_size=1, max_size=4))
def test_a_rule_means_the_same_for_many_as_for_one(rule: dict[str, Any], table: list[dict[str, Any]]) -> None:
    parsed = RULE.validate_python(rule)

    matched = matches(parsed, Table(table))

    assert matched.dtype == np.bool_
    assert matched.tolist() == [is_true(rule, account) for account in table]


@settings(deadline=None)
@given(rule=rules.filter(lambda rule: depth(rule) <= MAX_DEPTH))
def test_a_rule_is_written_as_it_was_read(rule: dict[str, Any]) -> None:
    parsed = RULE.validate_python(rule)

    assert RULE.dump_python(parsed, mode="json", by_alias=True, exclude_none=True) == rule
    assert reads_attributes(parsed) == ("attribute" in str(rule))


LARGE = {"field": "spend_minor", "op": "ge", "value": 1}


def nested(levels: int) -> dict[str, Any]:
    rule: dict[str, Any] = LARGE
    for _ in range(levels - 1):
        rule = {"not": rule}
    return rule


@pytest.mark.parametrize(
    ("rule", "where", "message"),
    [
        ({}, (), "exactly one of the keys all, any, not, owns, field, attribute"),
        ({"all": [LARGE], "any": [LARGE]}, (), "exactly one of the keys"),
        (7, (), "exactly one of the keys"),
        ("import os", (), "exactly one of the keys"),
        ({"all": []}, ("all",), "at least 1 item"),
        ({"any": [LARGE, {"field": "nobody", "op": "eq", "value": 1}]}, ("any", 1), "there is no field 'nobody'; the"),
        ({"field": "spend_minor", "op": "eq", "value": "1"}, (), "spend_minor is a number, which '1' is not"),
        ({"field": "spend_minor", "op": "eq", "value": True}, (), "spend_minor is a number, which True is not"),
        ({"field": "is_strategic", "op": "eq", "value": 1}, (), "is_strategic is a flag, which 1 is not"),
        ({"field": "rfm", "op": "eq", "value": "winners"}, (), "rfm is never 'winners'; it is one of champions"),
        ({"field": "rfm", "op": "lt", "value": "lost"}, (), "compare it with eq, ne, in or not_in"),
        ({"field": "recency", "op": "in", "value": 1}, (), "in needs `values`"),
        ({"field": "recency", "op": "eq"}, (), "eq needs `value`"),
        ({"field": "recency", "op": "is_known", "value": 1}, (), "is_known takes neither"),
        ({"field": "recency", "op": "like", "value": 1}, ("op",), "Input should be 'eq', 'ne'"),
        ({"field": "spend_minor", "op": "eq", "value": 10**400}, ("value",), "less than or equal to"),
        ({"attribute": "a", "op": "lt", "value": True}, (), "lt orders numbers and texts"),
        ({"owns": {}}, ("owns",), "name products, or lines, or categories"),
        ({"owns": {"lines": ["a"], "products": ["b"]}}, ("owns",), "name products, or lines, or categories"),
        (LARGE | {"more": 1}, ("more",), "Extra inputs are not permitted"),
        (nested(MAX_DEPTH + 1), (), f"nested deeper than {MAX_DEPTH} levels"),
        ({"any": [{"all": [LARGE] * 60}] * 2}, (), f"more than {MAX_CONDITIONS} conditions"),
    ],
)
def test_what_is_no_rule_is_refused_where_it_is_wrong(rule: Any, where: tuple[object, ...], message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        RULE.validate_python(rule)

    errors = [
        error
        for error in refused.value.errors()
        if message in error["msg"] and all(part in error["loc"] for part in where)
    ]
    assert errors, refused.value.errors()


def test_a_rule_may_be_as_deep_as_it_says() -> None:
    assert RULE.validate_python(nested(MAX_DEPTH))
