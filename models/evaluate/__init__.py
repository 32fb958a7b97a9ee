"""Offline metrics with intervals, and the gate."""
