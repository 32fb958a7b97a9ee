"""The dimensions of an artifact's arrays."""

from models.artifact.sections import Dimension

ACCOUNTS = Dimension("accounts")
PRODUCTS = Dimension("products")
LINES = Dimension("lines")
CATEGORIES = Dimension("categories")
GROUPS = Dimension("groups")
"""Lines or categories: whichever of the two a section is about."""

CANDIDATES = Dimension("candidates")
"""Candidates that are listed for each account."""
EXPLAINED = Dimension("explained candidates")
NEIGHBOURS = Dimension("neighbours")
"""Neighbours that are listed for each product."""
OWNED = Dimension("owned products")
"""Pairs of an account and a product that it owns."""
HORIZONS = Dimension("horizons")
"""Periods for which purchases are expected."""
EVIDENCE = Dimension("pairs with evidence")
RELATIONSHIPS = Dimension("relationships")
FAMILIES = Dimension("families of segments")
SEGMENTS = Dimension("segments")

WEEKS, MONTHS, QUARTERS, YEARS = (Dimension(name) for name in ("weeks", "months", "quarters", "years"))

TEXTS = Dimension("texts", is_local=True)
BYTES = Dimension("bytes", is_local=True)
ENTRIES = Dimension("entries", is_local=True)
"""Rows of a section whose length depends on the data."""
