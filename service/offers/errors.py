"""Why no offer can be made at all."""

from service.base.errors import DomainError


class NothingToOffer(DomainError):
    """There is neither an artifact nor a catalogue with sales."""

    code = "nothing-to-offer"

    def __init__(self) -> None:
        super().__init__("Nothing is known to offer yet: import products and orders, then run `nextoffer train`.")
