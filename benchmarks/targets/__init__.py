"""Three more targets for the classifier of propensity, each with windows of its own."""
