"""Why nothing can be estimated."""


class NotEstimable(Exception):
    """The history does not tell what a model needs; the message says what is missing."""
