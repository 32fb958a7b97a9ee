"""Reservations: offers that are kept for an account, strictly within caps and limits."""
