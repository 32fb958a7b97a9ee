"""What can be wrong with a request about exchange rates."""

from service.base.errors import DomainError


class UnknownExchangeRate(DomainError):
    """No such rate is stored."""

    code = "unknown-exchange-rate"

    def __init__(self, exchange_rate_id: str) -> None:
        super().__init__(f"There is no exchange rate {exchange_rate_id!r}. Take `exchange_rate_id` from the list.")
