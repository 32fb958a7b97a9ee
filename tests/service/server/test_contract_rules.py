"""Rules that hold over the whole contract, whatever routes there are."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from starlette.testclient import TestClient

from service.base.settings import Settings
from service.server.app import create_app
from service.server.contract.schemas import known_values
from service.server.contract.text import DESCRIPTION
from service.server.openapi import document

DOCUMENT = document(create_app(Settings()))
OPERATIONS = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]
WITH_BODY = [(path, method) for path, method in OPERATIONS if "requestBody" in DOCUMENT["paths"][path][method]]
WRITES = [
    (path, method) for path, method in OPERATIONS if DOCUMENT["paths"][path][method].get("x-required-scope") == "write"
]
SCHEMAS = DOCUMENT["components"]["schemas"]
NAMED = {
    "account_id": "a-1",
    "product_id": "p-1",
    "segment_id": "all",
    "row": "line-1",
    "decision_id": "x",
    "note_id": "x",
}
NAMED |= {"policy_id": "p", "order_id": "o-1", "exchange_rate_id": "EUR-USD-2024-01-31"}
NAMED |= {"outcome_id": "o", "goal_id": "coffee", "kind": "lines", "name": "coffee"}


NEEDED_OF_SEVERAL = {"/v1/policies": ["withhold_if"], "/v1/policies/preview": ["policy"]}
"""Fields of bodies of which exactly one of several must be given."""


def parts_of(node: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of a part of the document, with the way to it."""
    if isinstance(node, dict):
        yield place, node
        for key, value in node.items():
            yield from parts_of(value, f"{place}/{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from parts_of(value, f"{place}/{index}")


def test_every_number_has_a_format() -> None:
    numbers = {place: part for place, part in parts_of(DOCUMENT) if part.get("type") in ("integer", "number")}

    assert {place for place, part in numbers.items() if "format" not in part} == set()


def test_every_component_has_its_name_for_a_title_and_no_field_has_one() -> None:
    titles = {place: part["title"] for place, part in parts_of(SCHEMAS) if isinstance(part.get("title"), str)}

    assert titles == {f"/{name}": name for name in SCHEMAS}


def test_no_body_has_an_object_without_a_name() -> None:
    inline = [
        place
        for place, part in parts_of(DOCUMENT["paths"])
        if part.get("type") == "object" and "properties" in part and "/content/" in place
    ]
    nested = [
        place
        for place, part in parts_of(SCHEMAS)
        if part.get("type") == "object" and "properties" in part and place.count("/") > 1
    ]

    assert inline + nested == []


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_a_route_that_answers_with_an_etag_takes_it_back(path: str, method: str) -> None:
    operation = DOCUMENT["paths"][path][method]
    has_etag = any("ETag" in response["headers"] for response in operation["responses"].values())
    headers = {parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "header"}

    assert ("If-None-Match" in headers) == has_etag == ("304" in operation["responses"])


def test_every_tag_is_described_and_every_server_named() -> None:
    used = {tag for path, method in OPERATIONS for tag in DOCUMENT["paths"][path][method]["tags"]}

    assert used == {tag["name"] for tag in DOCUMENT["tags"] if tag["description"]}
    assert DOCUMENT["servers"]
    assert len(DESCRIPTION) < 1000


def test_codes_of_responses_are_open_and_say_which_are_known() -> None:
    code = SCHEMAS["ReasonOut"]["properties"]["code"]

    assert code["type"] == "string"
    assert "enum" not in code
    assert "upgrade" in code["x-extensible-enum"]
    assert code["description"].endswith("More may be added.")
    assert known_values(["a", "b"], "`a`: one.") == "Known values: `a`, `b`; more may be added."


def examples() -> Iterator[tuple[str, Any, Any]]:
    """Every example with its schema."""
    for place, part in parts_of(DOCUMENT):
        if "schema" in part and "example" in part:
            yield place, part["schema"], part["example"]
        if isinstance(part.get("examples"), list):
            schema = {key: value for key, value in part.items() if key != "examples"}
            for example in part["examples"]:
                yield place, schema, example


@pytest.mark.parametrize(("place", "schema", "example"), list(examples()))
def test_every_example_is_valid(place: str, schema: Any, example: Any) -> None:
    rooted = {**json.loads(json.dumps(schema)), "components": DOCUMENT["components"]}

    problems = [error.message for error in jsonschema_rs.validator_for(rooted).iter_errors(example)]

    assert problems == [], place


@pytest.fixture(scope="module")
def client(shared_client: TestClient) -> TestClient:
    return shared_client


def url_of(path: str) -> str:
    for name, value in {**NAMED, "version": "v", "relationship_id": "r"}.items():
        path = path.replace("{" + name + "}", value)
    assert "{" not in path, f"give {path} a value"
    return path


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_an_unknown_query_parameter_is_refused_and_named(client: TestClient, path: str, method: str) -> None:
    parameters = DOCUMENT["paths"][path][method].get("parameters", ())
    known = [parameter["name"] for parameter in parameters if parameter["in"] == "query"]

    answer = client.request(method, url_of(path), params={"mistpyed": "1"})

    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert (error["loc"], error["code"]) == (["query", "mistpyed"], "extra_forbidden")
    assert all(f"`{name}`" in error["message"] for name in known)


def test_a_misspelt_query_parameter_is_answered_with_the_one_that_was_meant(client: TestClient) -> None:
    of_fastapi = client.get("/v1/products", params={"catgory": "tea"}).json()["errors"][0]["message"]
    of_fast_path = client.get("/v1/recommendations/a-1", params={"limt": 3}).json()["errors"][0]["message"]

    assert of_fastapi.startswith("Unknown query parameter. Did you mean `category`?")
    assert of_fast_path == (
        "Unknown query parameter. Did you mean `limit`? This route takes "
        + ", ".join(
            f"`{each['name']}`"
            for each in sorted(
                DOCUMENT["paths"]["/v1/recommendations/{account_id}"]["get"]["parameters"],
                key=lambda each: each["name"],
            )
            if each["in"] == "query"
        )
        + "."
    )


@pytest.mark.parametrize(("path", "method"), WRITES)
def test_every_write_answers_with_its_sequence_number_in_the_body(path: str, method: str) -> None:
    responses = DOCUMENT["paths"][path][method]["responses"]
    (good,) = [response for status, response in responses.items() if status.startswith("2")]
    reference = good["content"]["application/json"]["schema"]["$ref"]

    assert "sequence" in SCHEMAS[reference.rpartition("/")[2]]["properties"]


def test_the_sequence_number_in_the_body_is_that_of_the_header(client: TestClient) -> None:
    put = client.put("/v1/accounts/a-9/consent", json={"marketing": "granted"})
    posted = client.post("/v1/accounts", json=[{"account_id": "a-9"}])
    seen = client.get("/v1/accounts/a-9", headers={"X-Min-Sequence": str(posted.json()["sequence"])})

    assert put.json()["sequence"] == int(put.headers["X-Sequence"])
    assert posted.json()["sequence"] == int(posted.headers["X-Sequence"]) > put.json()["sequence"]
    assert seen.status_code == 200


def reduced(value: Any, schema: dict[str, Any], *, has_nulls: bool) -> Any:
    """Return an example with its required fields alone, at every level; the others are null, or left out.

    The scope and the period of a goal stay: of their fields one must be given, whichever it is.
    """
    if schema.get("$ref", "").endswith(("/ScopeIn", "/PeriodIn")):
        return value
    schema = SCHEMAS[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if isinstance(value, list):
        return [reduced(item, schema.get("items", {}), has_nulls=has_nulls) for item in value]
    if not isinstance(value, dict) or "properties" not in schema:
        return value
    known, required = schema["properties"], schema.get("required", ())
    kept = {name: reduced(value[name], known[name], has_nulls=has_nulls) for name in required}
    return {**(dict.fromkeys(known) if has_nulls else {}), **kept}


@pytest.mark.parametrize(("path", "method"), WITH_BODY)
def test_a_body_with_every_optional_field_null_is_read_like_one_without(
    client: TestClient, path: str, method: str
) -> None:
    content = DOCUMENT["paths"][path][method]["requestBody"]["content"]["application/json"]
    reference = content["schema"].get("$ref", "").rpartition("/")[2]
    example = content["example"] if "example" in content else SCHEMAS[reference]["examples"][0]
    bodies = [reduced(example, content["schema"], has_nulls=has_nulls) for has_nulls in (False, True)]
    for name in NEEDED_OF_SEVERAL.get(path, ()):
        bodies = [{**body, name: example[name]} for body in bodies]
    # The examples of segments and policies ask for attributes, which some account must have.
    stored = [{"account_id": "ann", "attributes": {"sector": "public", "employees": 5, "country": "DE"}}]
    assert client.post("/v1/accounts", json=stored).status_code == 200

    without, given = (client.request(method, url_of(path), json=body) for body in bodies)

    assert without.status_code < 422 or without.status_code == 503, without.text
    # The first of the two may have made the segment, the policy or the goal, or erased an account that another named.
    done = {"segment-exists", "policy-exists", "goal-exists", "unknown-account"}
    assert given.status_code == without.status_code or given.json()["code"] in done, given.text
    assert verdicts(given.json()) == verdicts(without.json())


def verdicts(answer: dict[str, Any]) -> object:
    """What a bulk route says of each row, and which offers there are."""
    rows = [(row["status"] == "rejected", row["errors"]) for row in answer.get("results", ())]
    return rows, [offer["product_id"] for offer in answer.get("offers", ())]


@pytest.mark.parametrize(
    "name", [name for name, schema in SCHEMAS.items() if schema.get("additionalProperties") is False]
)
def test_every_optional_field_of_a_request_may_be_null(name: str) -> None:
    schema = SCHEMAS[name]
    optional = {field: part for field, part in schema["properties"].items() if field not in schema.get("required", ())}

    assert [field for field, part in optional.items() if {"type": "null"} not in part.get("anyOf", ())] == []


def test_a_rule_with_the_keys_of_other_kinds_null_is_the_rule_without(client: TestClient) -> None:
    keys = ("all", "any", "not", "owns", "field", "attribute", "op", "value", "values")
    plain = {"field": "purchase_days", "op": "ge", "value": 1}
    padded = {"not": {**dict.fromkeys(keys), "any": [{**dict.fromkeys(keys), **plain}]}}

    answers = [client.post("/v1/segments/preview", json={"rule": rule}) for rule in ({"not": {"any": [plain]}}, padded)]

    assert answers[0].status_code == 200
    assert answers[0].json() == answers[1].json()


def test_of_two_spellings_a_null_one_does_not_clear_the_other(client: TestClient) -> None:
    row = {
        "product_id": "spelt",
        "currency": "USD",
        "price": None,
        "price_minor": 0,
        "margin": "1.5",
        "margin_minor": None,
    }

    answer = client.post("/v1/products", json=[row])
    stored = client.get("/v1/products/spelt").json()

    assert answer.json()["accepted"] == 1
    assert (stored["price_minor"], stored["margin_minor"]) == (0, 150)


def test_a_problem_says_in_its_body_when_to_try_again(client: TestClient) -> None:
    answer = client.get("/v1/recommendations/a-1", headers={"X-Min-Sequence": str(2**40)})

    assert answer.status_code == 503
    assert answer.json()["retry_after_seconds"] == int(answer.headers["Retry-After"])
