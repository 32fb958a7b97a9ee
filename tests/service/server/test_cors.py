"""Pages of other origins may call only where that was set up."""

import pytest

from service.base.settings import Settings
from tests.service.conftest import make_key, running

SHOP = "https://shop.example"
PREFLIGHT = {
    "Origin": SHOP,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization, idempotency-key, x-min-sequence",
}


def test_by_default_no_other_origin_is_let_in(settings: Settings, version: str) -> None:
    with running(settings, make_key(settings.database_url, "recommend")) as client:
        answer = client.get("/v1/recommendations/ann", headers={"Origin": SHOP})
        preflight = client.options("/v1/recommendations", headers=PREFLIGHT)

    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert preflight.status_code == 405


def test_a_named_origin_may_call_and_read_the_headers(settings: Settings, version: str) -> None:
    allowing = settings.model_copy(update={"cors_origins": (SHOP,)})
    with running(allowing, make_key(settings.database_url, "recommend")) as client:
        preflight = client.options("/v1/recommendations", headers=PREFLIGHT)
        answer = client.post("/v1/recommendations", json={}, headers={"Origin": SHOP})
        refused = client.get("/v1/recommendations/ann", headers={"Origin": SHOP, "Authorization": ""})
        stranger = client.post("/v1/recommendations", json={}, headers={"Origin": "https://other.example"})

    assert preflight.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP
    assert "X-Request-ID" in answer.headers["Access-Control-Expose-Headers"]
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, SHOP)
    assert "Access-Control-Allow-Origin" not in stranger.headers


@pytest.mark.parametrize("origin", [f"{SHOP}/", f"{SHOP}/checkout", "shop.example", "null", "ftp://shop.example"])
def test_what_no_browser_sends_as_an_origin_is_refused_at_the_start(origin: str) -> None:
    with pytest.raises(ValueError, match="write for example"):
        Settings.model_validate({"cors_origins": f"{SHOP},{origin}"})


def test_origins_are_read_from_a_list_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXTOFFER_CORS_ORIGINS", f"{SHOP}, https://other.example,")

    assert Settings().cors_origins == (SHOP, "https://other.example")
