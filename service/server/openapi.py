"""Renders the contract, openapi.yaml, from the application: ``python -m service.server.openapi [--check]``."""

import sys
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts
from pydantic.json_schema import models_json_schema

from service.auth.dependencies import RequireScope
from service.base.errors import PROBLEMS
from service.base.problems import MEDIA_TYPE, Problem
from service.base.settings import Settings
from service.offers.schemas import BatchRequest, RecommendationRequest
from service.server.app import create_app
from service.web.openapi_parts import OTHER_SCOPES_KEY, REF_PREFIX, SCOPE_KEY, problems

PATH = Path("openapi.yaml")
REFERENCED_MODELS = (Problem, RecommendationRequest, BatchRequest)
"""Models that routes refer to by name, because they decode or render them themselves."""

DESCRIPTION = """\
Next best offers from a company's own sales history: what to sell up and across, to whom, and why.

**Keys.** Every route but `/healthz` and `/readyz` needs an API key with the scope that the route names, in
`Authorization: Bearer` or `X-API-Key`. `nextoffer keys create` makes one. The scope `admin` opens every route.
A key with the scope `storefront` may be used in web pages: only for baskets, without an account, and only from the
origins that it is bound to. Any key in a page can be copied: use no other scope there.

**Errors** are problem details (RFC 9457) of type `application/problem+json`. Branch on `code`, which is stable:

{codes}

Any route may also answer `internal-error`, and any route that reads a body `body-too-large`.

**Conventions.** Times are RFC 3339 in UTC; money is in minor units with an ISO 4217 currency. An `X-Request-ID` of up
to 128 characters is echoed; without one the service makes one. Quote it when asking for help.
"""

TAGS = [
    {"name": "recommendations", "description": "What to offer, to whom, and why. Answered from memory."},
    {"name": "accounts", "description": "Who buys."},
    {"name": "products", "description": "What is sold."},
    {"name": "orders", "description": "What was bought: the history that is learned from."},
    {"name": "deals", "description": "What may be bought, and what became of it: the pipeline of a CRM."},
    {"name": "exchange rates", "description": "What amounts in other currencies are converted with."},
    {"name": "segments", "description": "Who the accounts are: from memory, and made for being polled."},
    {"name": "targets", "description": "Whom to sell a product to, and whom not to ask at all."},
    {"name": "white space", "description": "Where there is room, for how much, and who is behind it."},
    {"name": "artifacts", "description": "Trained models and how well they did."},
    {"name": "operation", "description": "Is it alive, is it ready, how is it doing."},
]

SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer nxo_...`"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "`X-API-Key: nxo_...`"},
}

KEY_ORDER = ["tags", "summary", "description", "operationId", "parameters", "requestBody", "responses", "security"]

REQUEST_ID_HEADER = {
    "description": "The request's identifier, given or made.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:/+=@-]{1,128}$"},
}


def document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of the application."""
    made = get_openapi(
        title=app.title,
        version=app.version,
        summary="An open next-best-offer service.",
        description=DESCRIPTION.format(codes=_codes()),
        routes=app.routes,
        tags=TAGS,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    _add_models(made)
    made["components"]["securitySchemes"] = SECURITY_SCHEMES
    dependencies = _dependencies_by_operation(app)
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            operations[method] = _completed(operation, dependencies.get((path, method), []))
    return made


def _codes() -> str:
    rows = [f"| `{code}` | {kind.status} | {kind.title} |" for code, kind in PROBLEMS.items()]
    return "\n".join(["| code | status | meaning |", "| --- | --- | --- |", *rows])


def _add_models(made: dict[str, Any]) -> None:
    modes: list[tuple[type, Any]] = [(model, "validation") for model in REFERENCED_MODELS]
    _, definitions = models_json_schema(modes, ref_template=REF_PREFIX + "{model}")
    schemas = made["components"]["schemas"]
    schemas.update(definitions["$defs"])
    # The framework's own error form: every 422 of ours is a problem.
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    made["components"]["schemas"] = dict(sorted(schemas.items()))


def _dependencies_by_operation(app: FastAPI) -> dict[tuple[str, str], list[object]]:
    return {
        (context.path_format or "", method.lower()): [dependency.call for dependency in context.dependant.dependencies]
        for context in iter_route_contexts(app.routes)
        for method in context.methods or ()
    }


def _completed(operation: dict[str, Any], dependencies: list[object]) -> dict[str, Any]:
    """Add what every route has: its scope, the request id, and problems as the one form of errors."""
    required = [requirement for requirement in dependencies if isinstance(requirement, RequireScope)]
    scope = operation.pop(SCOPE_KEY, None) or (required[0].scope if required else None)
    others = [*operation.pop(OTHER_SCOPES_KEY, ()), *(str(other) for made in required for other in made.others)]
    operation["security"] = [{"bearer": []}, {"apiKey": []}] if scope else []
    if scope:
        operation["description"] += f"\n\nNeeds the scope {' or '.join(f'`{name}`' for name in (scope, *others))}."
        operation[SCOPE_KEY] = str(scope)
        operation |= {OTHER_SCOPES_KEY: others} if others else {}
    if scope:
        operation["responses"].setdefault("503", problems("database-unavailable")[503])
    operation["responses"] = dict(sorted(operation["responses"].items()))
    for status, response in operation["responses"].items():
        response.setdefault("headers", {})["X-Request-ID"] = REQUEST_ID_HEADER
        if status.startswith(("4", "5")):
            # Where a route documents a problem by reference, the framework adds its default JSON type beside it.
            response["content"] = {MEDIA_TYPE: {"schema": {"$ref": REF_PREFIX + Problem.__name__}}}
    return {key: operation[key] for key in sorted(operation, key=_place)}


def _place(key: str) -> int:
    return KEY_ORDER.index(key) if key in KEY_ORDER else len(KEY_ORDER)


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Long texts as blocks, and no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def render(app: FastAPI) -> str:
    """Return the document as YAML: the same application gives the same bytes."""
    head = "# Generated by `python -m service.server.openapi`; edit the routes, not this file.\n"
    body: str = yaml.dump(document(app), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return head + body


def main(arguments: list[str]) -> int:
    """Write openapi.yaml, or with --check tell whether it is current."""
    text = render(create_app(Settings()))
    if "--check" not in arguments:
        PATH.write_text(text, encoding="utf-8")
        return 0
    if PATH.exists() and PATH.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write("openapi.yaml differs from the application. Run: python -m service.server.openapi\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
