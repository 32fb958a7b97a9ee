"""Domain errors, and the one table that maps each to a status and a problem type (RFC 9457)."""

from dataclasses import dataclass


class DomainError(Exception):
    """Something that the caller can understand and act on. Knows no HTTP."""

    code = "domain-error"


class SchemaOutdated(DomainError):
    """The database is not at the newest migration."""

    code = "schema-outdated"

    def __init__(self, actual: str | None, wanted: str | None) -> None:
        state = f"is at version {actual}" if actual else "has no nextoffer tables"
        super().__init__(f"The database {state}; this release needs {wanted}. Run: nextoffer db upgrade")


class DatabaseUnavailable(DomainError):
    """The database does not answer. Recommendations go on from memory."""

    code = "database-unavailable"

    def __init__(self) -> None:
        super().__init__("The database does not answer. Try again; recommendations go on meanwhile.")


class BodyTooLarge(DomainError):
    """The request body is larger than the route accepts."""

    code = "body-too-large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The request body is larger than {limit_bytes} bytes.")


class RequestTimeout(DomainError):
    """The request body did not arrive in time."""

    code = "request-timeout"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The request body did not arrive within {seconds:g} seconds.")


class MediaTypeUnsupported(DomainError):
    """The request body is of a type that the route does not read."""

    code = "media-type-unsupported"

    def __init__(self, *supported: str) -> None:
        super().__init__(
            f"Send the body as {' or '.join(supported)}, and say so: add the header Content-Type: {supported[0]} "
            f"(with curl, -H 'Content-Type: {supported[0]}'; its -d alone announces a form)."
        )


class InvalidCursor(DomainError):
    """A page was asked for with a cursor that no page gave."""

    code = "invalid-cursor"

    def __init__(self) -> None:
        super().__init__("The cursor is not one that this service gave. Start again without it.")


@dataclass(frozen=True)
class ProblemType:
    """How one kind of error looks over HTTP. The title is the same each time; the detail says what happened."""

    status: int
    title: str


PROBLEMS: dict[str, ProblemType] = {
    "account-not-allowed": ProblemType(403, "The API key may not name an account"),
    "address-in-use": ProblemType(409, "The address is in use"),
    "arbitration-changed": ProblemType(412, "How offers are ranked was changed since"),
    "artifact-corrupt": ProblemType(409, "The artifact is corrupt, partial or foreign"),
    "artifact-not-found": ProblemType(404, "No such artifact"),
    "artifact-rejected": ProblemType(409, "The evaluation gate rejected the artifact"),
    "body-too-large": ProblemType(413, "The request body is too large"),
    "body-unreadable": ProblemType(400, "The request body can't be read"),
    "built-in-policy": ProblemType(409, "The policy is built in"),
    "built-in-segment": ProblemType(409, "The segment is built in"),
    "cap-reached": ProblemType(409, "Nothing is left within a cap"),
    "database-unavailable": ProblemType(503, "The database does not answer"),
    "demo-data-missing": ProblemType(501, "The demo's data is not installed"),
    "field-not-allowed": ProblemType(403, "The API key may not name this field"),
    "goal-exists": ProblemType(409, "There is such a goal already"),
    "goal-modified": ProblemType(412, "The goal was changed since"),
    "hierarchy-changed": ProblemType(409, "Parents of accounts were changed meanwhile"),
    "http-error": ProblemType(400, "The request can't be served"),
    "idempotency-key-reused": ProblemType(422, "The idempotency key was used for another request"),
    "internal-error": ProblemType(500, "The service failed"),
    "invalid-cursor": ProblemType(422, "The cursor is not valid"),
    "invalid-import-option": ProblemType(422, "Invalid import option"),
    "key-invalid": ProblemType(401, "The API key is not valid"),
    "key-missing": ProblemType(401, "An API key is needed"),
    "key-not-found": ProblemType(404, "No such API key"),
    "media-type-unsupported": ProblemType(415, "The media type is not supported"),
    "method-not-allowed": ProblemType(405, "The method is not allowed here"),
    "missing-column": ProblemType(422, "A file lacks a column"),
    "not-ready": ProblemType(503, "The service is not ready"),
    "nothing-learned": ProblemType(503, "Nothing was learned yet"),
    "nothing-to-offer": ProblemType(503, "Nothing is known to offer"),
    "nothing-to-roll-back": ProblemType(409, "There is no earlier artifact"),
    "option-invalid": ProblemType(422, "Invalid option"),
    "origin-not-allowed": ProblemType(403, "The API key is bound to other origins"),
    "origins-invalid": ProblemType(422, "Not origins"),
    "policy-always-on": ProblemType(409, "The policy can't be switched off"),
    "policy-changed": ProblemType(412, "The policy was changed since"),
    "policy-exists": ProblemType(409, "There is such a policy already"),
    "policy-refused": ProblemType(422, "The policy names what does not exist"),
    "rate-limit-unreadable": ProblemType(422, "Not a rate limit"),
    "rate-limited": ProblemType(429, "Too many requests"),
    "reader-missing": ProblemType(501, "A reader is not installed"),
    "registry-unreadable": ProblemType(503, "The artifact registry can't be read"),
    "relationship-refused": ProblemType(409, "The relationship contradicts others, or the catalogue"),
    "request-invalid": ProblemType(422, "The request is not valid"),
    "request-timeout": ProblemType(408, "The request took too long to arrive"),
    "route-not-found": ProblemType(404, "No such route"),
    "rows-unreadable": ProblemType(400, "The rows can't be read"),
    "rule-never-matches": ProblemType(422, "The rule can never match"),
    "schema-outdated": ProblemType(503, "The database schema is outdated"),
    "scope-matches-nothing": ProblemType(409, "No product is what the goal or weight is set on"),
    "scope-missing": ProblemType(403, "The API key lacks a scope"),
    "scope-unknown": ProblemType(422, "No such scope"),
    "scopes-conflict": ProblemType(422, "Scopes exclude each other"),
    "scores-invalid": ProblemType(422, "The extra scores are not valid"),
    "segment-exists": ProblemType(409, "There is such a segment already"),
    "sequence-not-reached": ProblemType(503, "The change is not applied here yet"),
    "too-large-for-spreadsheet": ProblemType(422, "The export is too large for a spreadsheet"),
    "too-many-goals": ProblemType(409, "There are too many goals"),
    "too-many-notes": ProblemType(409, "The account has too many notes"),
    "too-many-policies": ProblemType(409, "There are too many policies"),
    "too-many-rejects": ProblemType(422, "Too many rows were rejected"),
    "too-many-removals": ProblemType(422, "More would be removed than was allowed"),
    "too-many-rows": ProblemType(413, "One request carries too many rows"),
    "too-many-segments": ProblemType(409, "There are too many segments"),
    "too-many-weights": ProblemType(409, "There are too many weights"),
    "training-not-installed": ProblemType(501, "Training is not installed"),
    "unknown-account": ProblemType(404, "No such account"),
    "unknown-decision": ProblemType(404, "No such decision"),
    "unknown-exchange-rate": ProblemType(404, "No such exchange rate"),
    "unknown-family": ProblemType(404, "No such family of segments"),
    "unknown-goal": ProblemType(404, "No such goal"),
    "unknown-note": ProblemType(404, "No such note"),
    "unknown-order": ProblemType(404, "No such order"),
    "unknown-outcome": ProblemType(404, "No such outcome"),
    "unknown-policy": ProblemType(404, "No such policy"),
    "unknown-product": ProblemType(404, "No such product"),
    "unknown-relationship": ProblemType(404, "No such relationship"),
    "unknown-reservation": ProblemType(404, "No such reservation"),
    "unknown-row": ProblemType(404, "No such line or category"),
    "unknown-segment": ProblemType(404, "No such segment"),
    "unknown-weight": ProblemType(404, "No such weight"),
    "unreadable-file": ProblemType(422, "A file can't be read"),
    "weight-modified": ProblemType(412, "The weight was changed since"),
}
"""Every error code, in alphabetical order: stable public API."""
