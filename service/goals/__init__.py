"""Sales goals, progress and pacing. Not built yet."""
