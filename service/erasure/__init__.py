"""Erases an account: from the database, from memory, and from what artifacts show."""
