"""The decision log: every decision, written in batches beside the requests, and read back."""
