"""The contract of the last release, and what may change from it."""
