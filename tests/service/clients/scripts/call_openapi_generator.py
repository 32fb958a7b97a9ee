"""Calls a running service with the client of openapi-generator. Arguments: address, key, contract, path parameters."""

import importlib
import json
import sys

import shop_client
from shop_client.exceptions import NotFoundException

url, key, contract_path, parameters = sys.argv[1:5]
contract, known = json.load(open(contract_path)), json.loads(parameters)
client = shop_client.ApiClient(shop_client.Configuration(host=url, access_token=key))


def api_of(tag):
    name = tag.replace(" ", "_")
    module = importlib.import_module(f"shop_client.api.{name}_api")
    return getattr(module, "".join(part.capitalize() for part in name.split("_")) + "Api")(client)


def call_every_get():
    for operations in contract["paths"].values():
        if "get" in operations:
            operation = operations["get"]
            given = [p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"]
            values = {name: known[operation["operationId"]] if name == "decision_id" else known[name] for name in given}
            getattr(api_of(operation["tags"][0]), operation["operationId"])(**values)
            print("called", operation["operationId"])


def ask_with_everything_unset():
    request = shop_client.RecommendationRequest(
        basket=[shop_client.RecommendationRequestBasketInner(known["product_id"])]
    )
    answer = api_of("recommendations").create_recommendations(request)
    assert answer.offers, answer
    nulls = dict.fromkeys(contract["components"]["schemas"]["RecommendationRequest"]["properties"])
    explicit = shop_client.RecommendationRequest.from_dict({**nulls, "basket": [known["product_id"]]})
    assert explicit.limit is None
    again = api_of("recommendations").create_recommendations(explicit)
    assert [offer.product_id for offer in again.offers] == [offer.product_id for offer in answer.offers]
    return answer


def write_and_see():
    row = shop_client.AccountIn(account_id="client-1", name="By a generated client")
    written = api_of("accounts").import_accounts([row])
    assert written.accepted == 1
    assert written.sequence >= 1
    seen = api_of("accounts").get_account("client-1", x_min_sequence=written.sequence)
    assert seen.name == "By a generated client"


def meet_an_error():
    try:
        api_of("products").get_product("nobody sells this")
    except NotFoundException as error:
        assert json.loads(error.body)["code"] == "unknown-product"
    else:
        raise AssertionError("an unknown product was found")


if __name__ == "__main__":
    known["get_decision"] = ask_with_everything_unset().decision_id
    if len(sys.argv) == 5:
        write_and_see()
        meet_an_error()
        call_every_get()
