"""Idempotency keys: a write that is retried is done once, and answered as it was."""
