"""Product relationships and timing. Not built yet."""
