"""The demonstration: a year of real grocery orders (The Complete Journey), from download to a running service."""

CURRENCY = "USD"
