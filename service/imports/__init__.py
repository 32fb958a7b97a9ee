"""``nextoffer import``: files into the database."""
