"""Where candidates come from: one class for each source."""
