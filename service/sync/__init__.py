"""Keeps memory current: follows the change log, loads artifacts."""
