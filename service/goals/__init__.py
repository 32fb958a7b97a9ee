"""Sales goals: targets, progress, forecast and the lever that they give to offers."""
