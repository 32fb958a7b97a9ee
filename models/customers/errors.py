"""Why nothing can be estimated."""


class NotEstimable(Exception):
    """The history does not determine a model; the message says what is missing."""
