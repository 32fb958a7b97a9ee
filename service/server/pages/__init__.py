"""Pages for a person who opens the address of the service in a browser."""
