"""Artifacts in operation: verify, load, activate, roll back."""
