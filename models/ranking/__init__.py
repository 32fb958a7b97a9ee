"""Rankers: ALS, item-item affinity, popularity and their blend."""
