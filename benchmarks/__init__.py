"""Benchmarks: each prints one table, the floor beside ours in the same run. ``python -m benchmarks`` runs all."""
