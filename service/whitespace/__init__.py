"""White space: which product line has room in which segment, in money, and who stands behind that number."""
