"""How offers are ranked, where an operator stored something else than the settings say."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from service.base.arbitration_options import ArbitrationOptions
from service.readmodel.live_state import LiveState
from service.readmodel.policies import PolicyScope


class StoredArbitration:
    """What is stored stands in place of the settings. A change puts another one in its place.

    changes: values of fields of ``ArbitrationOptions``.
    up_sell_scope: the products whose upgrades may go first; None for all. first_upgrades: bool (P,), the same by row.
    """

    def __init__(
        self,
        changes: Mapping[str, Any],
        up_sell_scope: PolicyScope | None = None,
        first_upgrades: NDArray[np.bool_] | None = None,
    ) -> None:
        self._changes = dict(changes)
        self._applied: tuple[ArbitrationOptions, ArbitrationOptions] | None = None
        self.up_sell_scope = up_sell_scope
        self.first_upgrades = first_upgrades

    @classmethod
    def empty(cls, _state: LiveState) -> Self:
        """See ``LivePart``."""
        return cls({})

    def over(self, options: ArbitrationOptions) -> ArbitrationOptions:
        """Return options in which what is stored stands in place of the settings."""
        if not self._changes:
            return options
        applied = self._applied
        if applied is None or applied[0] is not options:
            applied = self._applied = options, replace(options, **self._changes)
        return applied[1]

    def with_first_upgrades(self, first_upgrades: NDArray[np.bool_] | None) -> "StoredArbitration":
        """Return the same over another version of the catalogue."""
        return StoredArbitration(self._changes, self.up_sell_scope, first_upgrades)
