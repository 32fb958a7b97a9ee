"""Composes what runs: the application, its background work, and the server."""
