"""Accounts: who buys."""
