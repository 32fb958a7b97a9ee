"""An account that made an improbable share of all orders is probably what a system writes for guests."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from service.rows.notes import Notes

MIN_ORDERS: Final = 100
MIN_ACCOUNTS: Final = 6
MAX_SHARE: Final = 0.2
_MAX_COUNTED: Final = 50_000


class FrequentAccounts:
    """Counts the orders of the accounts that order most, in bounded memory."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._n_orders = 0

    def add(self, account_ids: Iterable[str | None]) -> None:
        """Count orders by their account; None is a guest's."""
        known = [account_id for account_id in account_ids if account_id is not None]
        self._counts.update(known)
        self._n_orders += len(known)
        if len(self._counts) > 2 * _MAX_COUNTED:
            # One that has a fifth of all orders is always among the most frequent so far, or becomes so.
            self._counts = Counter(dict(self._counts.most_common(_MAX_COUNTED)))

    def note(self, notes: Notes) -> None:
        """Add a warning for each account with an improbable share."""
        if self._n_orders < MIN_ORDERS or len(self._counts) < MIN_ACCOUNTS:
            return
        for account_id, count in self._counts.most_common(int(1 / MAX_SHARE)):
            if count > MAX_SHARE * self._n_orders:
                text = (
                    f"of {self._n_orders:,} orders with an account are those of {account_id!r} "
                    f"({count / self._n_orders:.0%}); if it stands for guests, add --guest-values +{account_id}"
                )
                notes.add(text, count, is_warning=True)
