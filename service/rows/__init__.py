"""What every bulk import shares: readers, field types, validation, rejects."""
