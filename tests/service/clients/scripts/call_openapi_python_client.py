"""Calls a running service with the client of openapi-python-client. Arguments: address, key, contract, parameters."""

import importlib
import json
import sys

from shop_client import AuthenticatedClient, models
from shop_client.types import Unset

url, key, contract_path, parameters = sys.argv[1:5]
contract, known = json.load(open(contract_path)), json.loads(parameters)
client = AuthenticatedClient(base_url=url, token=key)


def call(tag, operation, *positional, **named):
    module = importlib.import_module(f"shop_client.api.{tag.replace(' ', '_')}.{operation}")
    return module.sync_detailed(*positional, client=client, **named)


def call_every_get():
    for path, operations in contract["paths"].items():
        if "get" in operations:
            operation = operations["get"]
            given = [p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"]
            values = {name: known[operation["operationId"]] if name == "decision_id" else known[name] for name in given}
            response = call(operation["tags"][0], operation["operationId"], **values)
            assert response.status_code == 200, (path, response)
            print("called", operation["operationId"])


def ask_with_everything_unset():
    nulls = dict.fromkeys(contract["components"]["schemas"]["RecommendationRequest"]["properties"])
    for given in ({}, nulls):
        request = models.RecommendationRequest.from_dict({**given, "basket": [known["product_id"]]})
        response = call("recommendations", "create_recommendations", body=request)
        assert response.status_code == 200, response
        assert response.parsed.offers
    return response.parsed


def write_and_see():
    row = models.AccountIn(account_id="client-2", name="By a generated client")
    written = call("accounts", "import_accounts", body=[row]).parsed
    assert written.accepted == 1
    assert not isinstance(written.sequence, Unset)
    seen = call("accounts", "get_account", "client-2", x_min_sequence=written.sequence).parsed
    assert seen.name == "By a generated client"


def meet_an_error():
    response = call("products", "get_product", "nobody sells this")
    assert response.status_code == 404
    assert response.parsed.code == "unknown-product"


if __name__ == "__main__":
    known["get_decision"] = ask_with_everything_unset().decision_id
    if len(sys.argv) == 5:
        write_and_see()
        meet_an_error()
        call_every_get()
