"""The parts of the document that are written by hand: about the service as a whole."""

from typing import Any, Final

DESCRIPTION: Final = """\
Next best offers from a company's own sales history: what to sell up and across, to whom, and why.
Every route under `/v1`, and `/metrics`, needs an API key with the scope that it names; errors are problem details
(RFC 9457) with a stable `code`, see [the table of codes](docs/errors.md).
Money is in minor units, times are RFC 3339 in UTC; how answers may grow within `/v1`, and what never changes, is in
[the rules of compatibility](docs/compatibility.md).
"""

TAGS: Final = [
    {"name": "recommendations", "description": "What to offer, to whom, and why. Answered from memory."},
    {"name": "decisions", "description": "What was recommended, as it was sent."},
    {"name": "accounts", "description": "Who buys."},
    {"name": "products", "description": "What is sold."},
    {
        "name": "relationships",
        "description": "What goes together, and what is an upgrade: learned and curated.",
    },
    {"name": "orders", "description": "What was bought: the history that is learned from."},
    {"name": "deals", "description": "What may be bought, and what became of it: the pipeline of a CRM."},
    {"name": "exchange rates", "description": "What amounts in other currencies are converted with."},
    {"name": "segments", "description": "Who the accounts are: from memory, and made for being polled."},
    {"name": "outcomes", "description": "What became of offers: shown, wanted, rejected and why, bought."},
    {"name": "arbitration", "description": "How offers are ranked: strategy, floor, and which upgrades go first."},
    {"name": "reservations", "description": "Offers that are kept for an account, strictly within caps and limits."},
    {"name": "policies", "description": "What may be offered to whom, and when: rules that people store."},
    {"name": "goals", "description": "What is to be sold, how that goes, and what it does to offers."},
    {"name": "targets", "description": "Whom to sell a product to, and whom not to ask at all."},
    {"name": "white space", "description": "Where there is room, for how much, and who is behind it."},
    {"name": "artifacts", "description": "Trained models and how well they did."},
    {"name": "operation", "description": "Is it alive, is it ready, how is it doing."},
]

SERVERS: Final = [{"url": "http://127.0.0.1:8000", "description": "Where `nextoffer serve` listens by default."}]

SECURITY_SCHEMES: Final[dict[str, Any]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer nxo_...`"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "`X-API-Key: nxo_...`"},
}

REQUEST_ID_HEADER: Final[dict[str, Any]] = {
    "description": "The request's identifier, given or made.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:/+=@-]{1,128}$"},
}
