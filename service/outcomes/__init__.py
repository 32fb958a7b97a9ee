"""Outcomes: what became of offers, reported by reps, shops and mailing tools."""
