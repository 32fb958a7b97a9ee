"""How often a key may ask: in memory, and over the real Redis that replicas share."""

import io
import os
import socket
from collections.abc import Iterator

import pytest
import redis
from starlette.testclient import TestClient
from typer.testing import CliRunner

from service.auth.command import app as keys_command
from service.base.settings import Settings
from tests.service.conftest import make_key, running

URL = "/v1/recommendations/ann"
REDIS_URL = os.environ.get("NEXTOFFER_TEST_REDIS_URL", "redis://127.0.0.1:6379")


@pytest.fixture
def redis_url() -> Iterator[str]:
    """The real Redis; skipped where there is none, and a failure in CI."""
    client = redis.Redis.from_url(REDIS_URL)
    try:
        client.ping()
    except redis.ConnectionError as error:
        if os.environ.get("CI"):
            pytest.fail(f"Redis can't be reached at {REDIS_URL}: {error}")
        pytest.skip("no Redis is reachable; set NEXTOFFER_TEST_REDIS_URL")
    yield REDIS_URL
    client.close()


def limited(settings: Settings, limit: str, storage: str = "memory://") -> Settings:
    return settings.model_copy(update={"rate_limit": limit, "rate_limit_storage": storage})


def statuses(client: TestClient, n: int) -> list[int]:
    return [client.get(URL).status_code for _ in range(n)]


def test_a_key_that_asks_too_often_is_told_when_to_come_back(settings: Settings, version: str) -> None:
    with running(limited(settings, "3/hour"), make_key(settings.database_url, "recommend,read")) as client:
        answered = statuses(client, 3)
        refused = client.get(URL)
        metrics = client.get("/metrics")

    assert answered == [200] * 3
    assert (refused.status_code, refused.json()["code"]) == (429, "rate-limited")
    assert 1 <= int(refused.headers["Retry-After"]) <= 2 * 3600
    assert metrics.status_code == 429


def test_each_key_is_counted_by_itself_and_may_have_a_limit_of_its_own(settings: Settings, version: str) -> None:
    first, second = (make_key(settings.database_url, "recommend") for _ in range(2))
    made = CliRunner().invoke(
        keys_command, ["create", "--scopes", "recommend", "--rate-limit", "5/hour"],
        env={"NEXTOFFER_DATABASE_URL": settings.database_url},
    )  # fmt: skip
    own = made.stdout.strip()

    with running(limited(settings, "2/hour")) as client:
        answered = {
            key: [client.get(URL, headers={"X-API-Key": key}).status_code for _ in range(6)]
            for key in (first, second, own)
        }

    assert answered[first] == answered[second] == [200] * 2 + [429] * 4
    assert answered[own] == [200] * 5 + [429]


def test_the_refused_body_is_not_even_read(settings: Settings, version: str) -> None:
    with running(limited(settings, "1/hour"), make_key(settings.database_url, "write")) as client:
        accepted = client.post("/v1/orders", json=[])
        refused = client.post("/v1/orders", content=b"[" * 1000, headers={"Content-Type": "application/json"})

    assert (accepted.status_code, refused.status_code) == (200, 429)


def test_replicas_share_a_limit_over_redis(settings: Settings, version: str, redis_url: str) -> None:
    shared = limited(settings, "6/hour", redis_url)
    key = make_key(settings.database_url, "recommend")
    with running(shared, key) as first, running(shared, key) as second:
        answered = [client.get(URL).status_code for _ in range(4) for client in (first, second)]

    assert answered == [200] * 6 + [429] * 2


def test_without_redis_requests_pass_and_that_is_logged_once(settings: Settings, version: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        nobody_there = f"redis://127.0.0.1:{probe.getsockname()[1]}"
    log = io.BytesIO()
    key = make_key(settings.database_url, "recommend,read")
    with running(limited(settings, "1/hour", nobody_there), key, log_stream=log) as client:
        answered = statuses(client, 5)
        metrics = client.get("/metrics").text

    assert answered == [200] * 5
    assert "nextoffer_rate_limit_storage_failures_total 0.0" not in metrics
    assert log.getvalue().count(b"rate limits are off") == 1


@pytest.mark.parametrize("text", ["", "x", "10", "0x/second", "ten/second"])
def test_what_is_no_limit_is_refused_when_the_key_is_made(settings: Settings, text: str) -> None:
    made = CliRunner().invoke(
        keys_command, ["create", "--scopes", "recommend", "--rate-limit", text],
        env={"NEXTOFFER_DATABASE_URL": settings.database_url},
    )  # fmt: skip

    assert (made.exit_code != 0) == bool(text)


@pytest.mark.parametrize(
    ("name", "value"), [("rate_limit", "often"), ("rate_limit_storage", "memcached://x"), ("rate_limit", "5/moment")]
)
def test_settings_that_make_no_sense_are_refused_at_the_start(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="write"):
        Settings.model_validate({name: value})
