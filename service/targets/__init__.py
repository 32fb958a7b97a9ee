"""Whom to sell a product to, and whom not to ask at all."""
