"""Policies that operators store: which products may be offered to whom, and when."""
