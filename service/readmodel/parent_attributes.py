"""What is stored of the accounts above some accounts, such as contracts, for policies that ask for it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.readmodel.account_hierarchy import Hierarchy, Nodes
from service.readmodel.factors import FactorColumn
from service.readmodel.kleene import FALSE, UNKNOWN, compare
from service.readmodel.related_owners import nodes_above
from service.readmodel.rule_grammar import AttributeRule


class ParentAttributes(NamedTuple):
    """Attributes of parents.

    nodes: int32 (k,), ascending, the parents. columns: by name, a column of theirs.
    """

    nodes: Nodes
    columns: Mapping[str, FactorColumn]

    def value_above(self, hierarchy: Hierarchy, nodes: Nodes, condition: AttributeRule) -> NDArray[np.int8]:
        """Return the value of a condition on the nearest account above that has the attribute: int8 (n,).

        It is false for an account without a parent. Where no account above has the attribute, it is not known.
        """
        account, above = nodes_above(hierarchy, nodes)
        values = np.full(len(nodes), FALSE, dtype=np.int8)
        if not len(self.nodes) or not len(above):
            values[account] = UNKNOWN  # Their attributes are not read.
            return values
        column = self.columns[condition.attribute]
        place = self.nodes.searchsorted(above).clip(max=len(self.nodes) - 1)
        values[account] = compare(condition, None)
        # The nearest come first; of several values that are written to one place, the last counts.
        has_it = np.flatnonzero((column.codes[place] != 0) & (self.nodes[place] == above))[::-1]
        values[account[has_it]] = column.compare(condition)[place[has_it]]
        return values


NO_PARENTS: Final = ParentAttributes(np.empty(0, dtype=np.int32), MappingProxyType({}))
