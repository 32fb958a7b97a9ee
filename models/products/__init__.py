"""Product relationships: what goes together, what is an upgrade, and how long after."""
