"""Interactions: reading, validating and splitting the sales history."""
