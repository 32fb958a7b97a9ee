"""Bulk input: read files, validate rows, write rejects, load fast."""
