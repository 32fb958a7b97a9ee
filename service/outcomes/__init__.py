"""What became of an offer; perks and follow-ups. Not built yet."""
