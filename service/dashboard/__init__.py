"""Read-only pages over the same queries. Not built yet."""
