"""How likely an account is to buy what it does not own: features, a calibrated model, and how it is judged."""
