"""Orders and their lines: the sales history."""
