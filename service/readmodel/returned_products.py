"""Which products accounts returned recently."""

import numpy as np
from numpy.typing import NDArray

from service.readmodel.facts_by_account import FactsByAccount


class ReturnedProducts(FactsByAccount[NDArray[np.int32]]):
    """Product rows, ascending, that each account returned within the window, and does not own any more.

    Those of all accounts: also of those whose orders did not change since the artifact.
    """
