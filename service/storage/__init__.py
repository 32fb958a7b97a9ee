"""The database: engine, sessions, bulk SQL, and the log of changes."""
