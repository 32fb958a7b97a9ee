"""What is kept of erased accounts: keyed hashes, so that artifacts that still name them can be masked."""
