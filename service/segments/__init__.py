"""Segment membership, metrics and white space. Not built yet."""
