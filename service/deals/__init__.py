"""Deals: what a CRM hopes to sell, and what became of it."""
