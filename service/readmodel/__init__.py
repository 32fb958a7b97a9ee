"""What requests are answered from, in memory: no HTTP, no SQL."""
