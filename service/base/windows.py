"""For how long events of the past keep a product from being offered."""

from typing import Final, NamedTuple


class Windows(NamedTuple):
    """For how many days a product is not offered again: after its return, and after its deal was lost.

    They count back from the end of the data: from the artifact's, or from the account's own newest order or lost deal
    where that is later. An answer depends on no clock, and a history that ends long ago is answered as it was then.
    """

    returned_days: float = 180
    deal_lost_days: float = 90


DEFAULT_WINDOWS: Final = Windows()
