"""Exchange rates that the operator gives: what amounts in other currencies are converted with."""
