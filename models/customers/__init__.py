"""Value, lifetime value, propensity and clusters of accounts. Not built yet."""
