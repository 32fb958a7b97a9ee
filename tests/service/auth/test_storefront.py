"""Keys in web pages: for baskets only, from their origins only, and nothing private in any answer."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.types import Scope as AsgiScope
from typer.testing import CliRunner

from service.auth.client_address import ClientAddresses
from service.auth.command import app as keys_command
from service.auth.errors import OriginsInvalid, ScopesConflict
from service.auth.origins import normal_origin
from service.base.settings import Settings
from tests.service.conftest import NOON, SHOP_ORIGIN, make_key, make_settings, running, wait_until

URL = "/v1/recommendations"
OTHER_ORIGIN = "https://other.example"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}


@pytest.fixture
def settings(database_url: str, artifacts_dir: Path, version: str) -> Settings:
    """Settings over each of the two databases."""
    return make_settings(database_url, artifacts_dir)


@pytest.fixture
def page(settings: Settings) -> Iterator[TestClient]:
    """A page of the shop, with the shop's key."""
    with running(settings, make_key(settings.database_url, "storefront")) as client:
        client.headers["Origin"] = SHOP_ORIGIN
        yield client


def code_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_page_gets_what_goes_with_its_basket(page: TestClient) -> None:
    answer = page.post(URL, json={"basket": ["beans"], "placement": "cart"})

    body = answer.json()
    assert answer.status_code == 200
    assert body["offers"]
    assert (body["account_id"], body["account_known"]) == (None, None)


def test_no_answer_to_a_page_tells_of_the_business(page: TestClient, settings: Settings) -> None:
    page.post(
        "/v1/accounts", json=[{"account_id": "new"}],
        headers={"Authorization": f"Bearer {make_key(settings.database_url, 'write')}"},
    )  # fmt: skip
    basket = {"basket": ["beans"], "exclude": ["grinder"], "limit": 50}
    recommend = {"Authorization": f"Bearer {make_key(settings.database_url, 'recommend')}"}

    public, private = page.post(URL, json=basket).json(), page.post(URL, json=basket, headers=recommend).json()

    assert private["withheld"]
    assert private["sequence"] > 0
    assert (public["withheld"], public["sequence"]) == ({}, 0)
    assert public["offers"] == private["offers"]


@pytest.mark.parametrize("request_body", [{"account_id": "ann"}, {"account_id": "nobody", "basket": ["grinder"]}])
def test_a_page_may_not_name_an_account(page: TestClient, request_body: dict[str, Any]) -> None:
    answer = page.post(URL, json=request_body)

    assert code_of(answer) == (403, "account-not-allowed")
    assert "Leave out account_id" in answer.json()["detail"]


@pytest.mark.parametrize(
    "request_body",
    [
        {"fields": ["name", "line", "category", "price_minor", "currency", "url", "attributes.image_url"]},
        {"lines": ["coffee"], "categories": ["beans"], "price_max_minor": 10_000, "relations": ["cross_sell"]},
        {"attributes": {"image_url": "a.png"}},
    ],
)
def test_a_page_may_name_what_is_public_of_a_product(page: TestClient, request_body: dict[str, Any]) -> None:
    assert page.post(URL, json={"basket": ["beans"], **request_body}).status_code == 200


@pytest.mark.parametrize(
    ("request_body", "place", "name"),
    [
        ({"fields": ["name", "supplier"]}, "fields", "supplier"),
        ({"fields": ["attributes.supplier"]}, "fields", "attributes.supplier"),
        ({"fields": ["tier"]}, "fields", "tier"),
        ({"fields": ["attributes.name"]}, "fields", "attributes.name"),
        ({"attributes": {"supplier": "Acme"}}, "attributes", "supplier"),
        ({"attributes": {"name": "Espresso"}}, "attributes", "name"),
    ],
)
def test_a_page_may_not_name_other_data_of_a_product(
    page: TestClient, request_body: dict[str, Any], place: str, name: str
) -> None:
    answer = page.post(URL, json={"basket": ["beans"], **request_body})

    assert code_of(answer) == (403, "field-not-allowed")
    assert f"`{place}` must not name {name!r}" in answer.json()["detail"]
    assert "It may name: category, currency, image_url, line, name, price_minor, url." in answer.json()["detail"]


@pytest.mark.parametrize(
    ("listed", "status_by_field"),
    [
        (
            "supplier, attributes.name",
            {"supplier": 200, "attributes.supplier": 200, "attributes.name": 200, "name": 403},
        ),
        ("*", {"supplier": 200, "attributes.name": 200, "tier": 200}),
        ("", {"name": 403}),
    ],
)
def test_a_setting_lists_what_is_public_of_a_product(
    settings: Settings, listed: str, status_by_field: dict[str, int]
) -> None:
    fields = Settings.model_validate({"storefront_fields": listed}).storefront_fields
    public = settings.model_copy(update={"storefront_fields": fields})

    with running(public, make_key(settings.database_url, "storefront")) as client:
        client.headers["Origin"] = SHOP_ORIGIN
        answers = {field: client.post(URL, json={"basket": ["beans"], "fields": [field]}) for field in status_by_field}

    assert {field: answer.status_code for field, answer in answers.items()} == status_by_field


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", f"{URL}/ann"),
        ("POST", f"{URL}/batch"),
        ("GET", "/v1/accounts/ann"),
        ("GET", "/v1/decisions/01932f0c-5d5e-7cc3-9c1a-3f6f2d1c0b9a"),
        ("GET", "/v1/relationships"),
        ("GET", "/metrics"),
    ],
)
def test_nothing_else_is_open_to_a_page(page: TestClient, method: str, url: str) -> None:
    answer = page.request(method, url)

    assert code_of(answer) == (403, "scope-missing")
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP_ORIGIN


@pytest.mark.parametrize(
    "origin", [None, OTHER_ORIGIN, "http://shop.example", "https://shop.example:8443", "https://a.shop.example", "null"]
)
def test_a_key_works_from_its_origins_only(page: TestClient, origin: str | None) -> None:
    del page.headers["Origin"]

    answer = page.post(URL, json={"basket": ["grinder"]}, headers={} if origin is None else {"Origin": origin})

    assert code_of(answer) == (403, "origin-not-allowed")
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert ("no Origin header" in answer.json()["detail"]) == (origin is None)


def test_a_key_may_be_bound_to_several_origins(settings: Settings) -> None:
    key = make_key(settings.database_url, "storefront", origins=[SHOP_ORIGIN, "http://localhost:3000"])
    with running(settings, key) as client:
        origins = (SHOP_ORIGIN, "http://localhost:3000")
        answers = [client.post(URL, json={}, headers={"Origin": origin}) for origin in origins]

    assert [answer.headers["Access-Control-Allow-Origin"] for answer in answers] == list(origins)


def test_a_preflight_is_answered_for_the_origins_of_live_keys(settings: Settings) -> None:
    make_key(settings.database_url, "storefront", expires_in_days=1)
    clock = [NOON]
    with running(settings, now=lambda: clock[0]) as client:
        allowed = client.options(URL, headers={"Origin": SHOP_ORIGIN, **PREFLIGHT})
        stranger = client.options(URL, headers={"Origin": OTHER_ORIGIN, **PREFLIGHT})
        clock[0] = NOON + timedelta(days=1)
        wait_until(lambda: client.options(URL, headers={"Origin": SHOP_ORIGIN, **PREFLIGHT}).status_code == 405)

    assert allowed.status_code == 204
    assert allowed.headers["Access-Control-Allow-Origin"] == SHOP_ORIGIN
    assert allowed.headers["Vary"] == "Origin"
    assert allowed.headers["Access-Control-Allow-Methods"] == "POST"
    assert {"Authorization", "X-API-Key", "Content-Type"} <= set(
        allowed.headers["Access-Control-Allow-Headers"].split(", ")
    )
    assert "Access-Control-Allow-Origin" not in stranger.headers


def test_a_revoked_key_takes_its_origins_with_it(settings: Settings) -> None:
    key = make_key(settings.database_url, "storefront")
    with running(settings) as client:
        before = client.options(URL, headers={"Origin": SHOP_ORIGIN, **PREFLIGHT})
        run_command(settings, "revoke", key[4:16])
        wait_until(lambda: client.options(URL, headers={"Origin": SHOP_ORIGIN, **PREFLIGHT}).status_code == 405)

    assert before.status_code == 204


def test_a_page_can_read_errors_too(settings: Settings) -> None:
    limited = settings.model_copy(update={"storefront_rate_limit": "2/hour"})
    with running(limited, make_key(settings.database_url, "storefront")) as client:
        client.headers["Origin"] = SHOP_ORIGIN
        answers = [
            client.post(URL, json={}, headers={"Authorization": "Bearer nxo_wrong"}),
            client.post(URL, json={"account_id": "ann"}),
            client.post(URL, json={"limit": 0}),
            client.post("/v1/nowhere", json={}),
            client.post(URL, json={}),
        ]

    assert [answer.status_code for answer in answers] == [401, 403, 422, 404, 429]
    assert {answer.headers["Access-Control-Allow-Origin"] for answer in answers} == {SHOP_ORIGIN}
    assert {answer.headers["Vary"] for answer in answers} == {"Origin"}
    assert "Retry-After" in answers[-1].headers["Access-Control-Expose-Headers"]


def test_origins_of_the_settings_go_on_beside_those_of_keys(settings: Settings) -> None:
    both = settings.model_copy(update={"cors_origins": (OTHER_ORIGIN,)})
    make_key(settings.database_url, "storefront")
    with running(both, make_key(settings.database_url, "recommend")) as client:
        answers = [client.post(URL, json={}, headers={"Origin": origin}) for origin in (SHOP_ORIGIN, OTHER_ORIGIN)]

    assert [answer.headers.get_list("Access-Control-Allow-Origin") for answer in answers] == [
        [SHOP_ORIGIN],
        [OTHER_ORIGIN],
    ]


def test_a_body_of_a_page_is_small(page: TestClient) -> None:
    answer = page.post(URL, json={"basket": ["x" * 200] * 200, "exclude": ["y" * 190] * 200})

    assert code_of(answer) == (413, "body-too-large")


def test_each_client_of_a_page_is_counted_by_itself(settings: Settings) -> None:
    proxied = settings.model_copy(update={"storefront_rate_limit": "2/hour", "trusted_proxies": ("10.0.0.0/8",)})
    with running(proxied, make_key(settings.database_url, "storefront")) as client:
        client.headers["Origin"] = SHOP_ORIGIN
        proxy = TestClient(client.app, client=("10.0.0.1", 1), headers=dict(client.headers))
        stranger = TestClient(client.app, client=("192.0.2.1", 1), headers=dict(client.headers))

        def status(through: TestClient, forwarded: str) -> int:
            return through.post(URL, json={}, headers={"X-Forwarded-For": forwarded}).status_code

        first = [status(proxy, f"{n}.2.3.4, 198.51.100.7") for n in range(3)]
        second = status(proxy, "198.51.100.8")
        unproxied = [status(stranger, f"203.0.113.{n}") for n in range(3)]

    assert first == [200, 200, 429]
    assert second == 200
    assert unproxied == [200, 200, 429], "an address that a client makes up does not count"


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("198.51.100.7", "203.0.113.1", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.1, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "198.51.100.7, 10.9.9.9", "198.51.100.7"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::/64"),
        ("testclient", "", ""),
    ],
)
def test_the_client_address_is_what_the_nearest_trusted_proxy_saw(peer: str, forwarded: str, expected: str) -> None:
    scope: AsgiScope = {"client": (peer, 1), "headers": [(b"x-forwarded-for", forwarded.encode())]}

    assert ClientAddresses(["10.0.0.0/8"]).network_of(scope) == expected


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("https://shop.example", "https://shop.example"),
        ("HTTPS://Shop.Example:443", "https://shop.example"),
        ("http://shop.example:80", "http://shop.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("https://m\u00fcller.example", "https://xn--mller-kva.example"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_an_origin_is_stored_as_browsers_send_it(given: str, sent: str) -> None:
    assert normal_origin(given) == sent


@pytest.mark.parametrize(
    "text",
    ["*", "null", "shop.example", "https://shop.example/", "https://*.shop.example", "ftp://shop.example", "https://",
     "https://shop.example:", "https://shop.example:99999", "https://user@shop.example", "https://a..example"],
)  # fmt: skip
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(OriginsInvalid, match="scheme, host and"):
        normal_origin(text)


def run_command(settings: Settings, *arguments: str) -> str:
    environment = {"NEXTOFFER_DATABASE_URL": settings.database_url, "COLUMNS": "220"}
    result = CliRunner().invoke(keys_command, arguments, env=environment, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_command_binds_a_key_to_origins_and_a_rotated_key_too(settings: Settings) -> None:
    origins = f"{SHOP_ORIGIN},{OTHER_ORIGIN}"
    key = run_command(settings, "create", "--scopes", "storefront", "--origins", origins).strip()
    rotated = run_command(settings, "rotate", key[4:16]).strip()

    listed = run_command(settings, "list")

    assert listed.count(SHOP_ORIGIN) == listed.count(OTHER_ORIGIN) == 2
    assert rotated != key


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--scopes", "storefront"], OriginsInvalid),
        (["--scopes", "read", "--origins", SHOP_ORIGIN], OriginsInvalid),
        (["--scopes", "storefront,read", "--origins", SHOP_ORIGIN], ScopesConflict),
        (["--scopes", "storefront,admin", "--origins", SHOP_ORIGIN], ScopesConflict),
    ],
)
def test_origins_and_the_scope_storefront_go_together(
    settings: Settings, arguments: list[str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        run_command(settings, "create", *arguments)


def test_a_scraper_needs_the_scope_metrics_alone(settings: Settings) -> None:
    with running(settings, make_key(settings.database_url, "metrics")) as client:
        metrics, accounts = client.get("/metrics"), client.get("/v1/artifacts")

    assert metrics.status_code == 200
    assert code_of(accounts) == (403, "scope-missing")
