"""Clients that are generated from the contract, against a running service."""
