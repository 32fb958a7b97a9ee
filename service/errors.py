"""Domain errors, and the one table that maps each to a status and a problem type (RFC 9457)."""


class DomainError(Exception):
    """Something that the caller can understand and act on. Knows no HTTP."""

    code = "domain-error"


class SchemaOutdated(DomainError):
    """The database is not at the newest migration."""

    code = "schema-outdated"

    def __init__(self, found: str | None, wanted: str | None) -> None:
        state = f"is at version {found}" if found else "has no nextoffer tables"
        super().__init__(f"The database {state}; this release needs {wanted}. Run: nextoffer db upgrade")
