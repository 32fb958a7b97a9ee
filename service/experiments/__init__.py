"""Assignment and readout of experiments. Not built yet."""
