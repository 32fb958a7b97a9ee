"""The life of an API key, on both databases."""

import hmac
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient
from typer.testing import CliRunner

from service.auth import command, keys
from service.auth.key_ring import KeyRing, LoadKeys
from service.auth.keys import KEY_PATTERN, Scope, StoredKey
from service.base.settings import Settings
from service.storage.database import create_database_engine
from tests.service.conftest import NOON, make_key, make_settings, part_of, running, wait_until

URL = "/v1/recommendations/ann"
ROUTE_OF_SCOPE = {"recommend": URL, "read": "/v1/artifacts"}


@pytest.fixture
def settings(database_url: str, artifacts_dir: Path, version: str) -> Settings:
    """Settings over each of the two databases."""
    return make_settings(database_url, artifacts_dir)


@pytest.fixture
def keyless(settings: Settings) -> Iterator[TestClient]:
    """A client that sends no key by itself."""
    with running(settings) as client:
        yield client


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_a_key_has_the_form_that_secret_scanners_look_for() -> None:
    key_id, digest, text = keys.new_key()

    assert re.fullmatch(r"nxo_[0-9a-f]{12}_[0-9a-f]{64}", text)
    assert KEY_PATTERN.fullmatch(text)
    assert text[4:16] == key_id
    assert digest == keys.digest_of(text[17:])


def test_two_keys_are_never_alike() -> None:
    assert len({keys.new_key()[2] for _ in range(1000)}) == 1000


def test_only_a_hash_is_stored(database_url: str) -> None:
    key = make_key(database_url, "read")

    engine = create_database_engine(database_url)
    with engine.connect() as connection:
        stored = " ".join(str(value) for row in connection.execute(text("SELECT * FROM api_keys")) for value in row)
    engine.dispose()

    assert key not in stored
    assert key[17:] not in stored
    assert keys.digest_of(key[17:]) in stored


def test_a_key_opens_in_either_header(keyless: TestClient, settings: Settings) -> None:
    key = make_key(settings.database_url, "recommend")

    assert keyless.get(URL, headers=bearer(key)).status_code == 200
    assert keyless.get(URL, headers={"Authorization": f"bearer  {key} "}).status_code == 200
    assert keyless.get(URL, headers={"X-API-Key": key}).status_code == 200


def test_a_key_that_was_made_a_moment_ago_opens(settings: Settings) -> None:
    slow = settings.model_copy(update={"key_refresh_seconds": 3600.0})
    with running(slow) as client:
        for _ in range(3):
            key = make_key(settings.database_url, "recommend")

            assert client.get(URL, headers=bearer(key)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": ""}, {"Authorization": "Bearer"}, {"Authorization": "Basic bnhv"}, {"Authorization": "x"}],
)
def test_without_a_key_the_answer_says_how_to_send_one(keyless: TestClient, headers: dict[str, str]) -> None:
    answer = keyless.get(URL, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (401, "key-missing")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda key: key[:-1],
        lambda key: key + "0",
        lambda key: key[:-1] + ("0" if key[-1] != "0" else "1"),
        lambda key: "nxo_" + "0" * 12 + key[16:],
        lambda key: key.upper(),
        lambda key: "é" + key,
        lambda key: "x" * 5000,
    ],
)
def test_a_wrong_key_is_refused(keyless: TestClient, settings: Settings, spoil: Callable[[str], str]) -> None:
    wrong = spoil(make_key(settings.database_url, "admin"))

    answer = keyless.get(URL, headers=[(b"Authorization", b"Bearer " + wrong.encode())])

    assert (answer.status_code, answer.json()["code"]) == (401, "key-invalid")


@pytest.mark.parametrize("scope", ["recommend", "read", "write"])
@pytest.mark.parametrize("needed", ROUTE_OF_SCOPE)
def test_a_key_opens_what_its_scope_covers_and_nothing_else(
    keyless: TestClient, settings: Settings, scope: str, needed: str
) -> None:
    key = make_key(settings.database_url, scope)

    answer = keyless.get(ROUTE_OF_SCOPE[needed], headers=bearer(key))

    assert answer.status_code == (200 if scope == needed else 403)
    if scope != needed:
        assert answer.json()["code"] == "scope-missing"
        assert "nextoffer keys create --scopes " in answer.json()["detail"]
        assert f"`{needed}`" in answer.json()["detail"]


def test_an_admin_key_opens_everything(keyless: TestClient, settings: Settings) -> None:
    key = make_key(settings.database_url, "admin")

    assert {keyless.get(url, headers=bearer(key)).status_code for url in ROUTE_OF_SCOPE.values()} == {200}


def test_a_revoked_key_is_refused_soon_by_itself(keyless: TestClient, settings: Settings) -> None:
    key = make_key(settings.database_url, "recommend")
    assert keyless.get(URL, headers=bearer(key)).status_code == 200

    run_command(settings, "revoke", key[4:16])

    wait_until(lambda: keyless.get(URL, headers=bearer(key)).status_code == 401)


def test_a_key_expires_at_its_time(settings: Settings) -> None:
    key = make_key(settings.database_url, "recommend", expires_in_days=30)
    clock = [NOON + timedelta(days=30) - timedelta(microseconds=1)]
    with running(settings, key, now=lambda: clock[0]) as client:
        before = client.get(URL).status_code
        clock[0] = NOON + timedelta(days=30)
        after = client.get(URL).status_code

    assert (before, after) == (200, 401)


def test_secrets_are_compared_in_constant_time(
    keyless: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_key(settings.database_url, "recommend")
    compared: list[tuple[str, str]] = []
    real = hmac.compare_digest

    def watched(a: str, b: str) -> bool:
        compared.append((a, b))
        return real(a, b)

    monkeypatch.setattr(keys, "compare_digest", watched)
    keyless.get(URL, headers=bearer(key))

    digest = keys.digest_of(key[17:])
    assert compared == [(digest, digest)]


def test_a_flood_of_unknown_keys_reaches_the_database_five_times_a_second_at_most(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = settings.model_copy(update={"key_refresh_seconds": 3600.0})
    with running(slow) as client:
        ring = part_of(client, KeyRing)
        loads: list[float] = []
        real: LoadKeys = ring._load

        def counted() -> dict[str, StoredKey]:
            loads.append(time.monotonic())
            return real()

        monkeypatch.setattr(ring, "_load", counted)
        begun = time.monotonic()
        for _ in range(6):
            assert client.get(URL, headers=bearer(keys.new_key()[2])).status_code == 401
        seconds = time.monotonic() - begun

    assert 1 <= len(loads) <= seconds / 0.2 + 1


def test_an_unknown_key_is_not_called_invalid_while_the_database_can_not_tell(
    keyless: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = make_key(settings.database_url, "recommend")
    assert keyless.get(URL, headers=bearer(known)).status_code == 200

    def fail() -> dict[str, StoredKey]:
        raise OperationalError("SELECT", {}, Exception("gone"))

    monkeypatch.setattr(part_of(keyless, KeyRing), "_load", fail)
    unknown = keyless.get(URL, headers=bearer(keys.new_key()[2]))

    assert (unknown.status_code, unknown.json()["code"]) == (503, "database-unavailable")
    assert keyless.get(URL, headers=bearer(known)).status_code == 200


def test_keys_that_are_made_all_at_once_all_open(settings: Settings) -> None:
    slow = settings.model_copy(update={"key_refresh_seconds": 3600.0})
    with running(slow) as client, ThreadPoolExecutor(8) as pool:

        def make_and_use(_: int) -> int:
            return client.get(URL, headers=bearer(make_key(settings.database_url, "recommend"))).status_code

        statuses = list(pool.map(make_and_use, range(16)))

    assert statuses == [200] * 16


def test_a_body_is_not_read_before_its_sender_is_known(keyless: TestClient) -> None:
    read: list[bytes] = []

    def body() -> Iterator[bytes]:
        read.append(b"{}")
        yield b"{}"

    answer = keyless.post("/v1/orders", content=body(), headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (401, "key-missing")


def run_command(settings: Settings, *arguments: str) -> str:
    """Run `nextoffer keys ...` on the settings' database and return its standard output."""
    environment = {"NEXTOFFER_DATABASE_URL": settings.database_url, "COLUMNS": "200"}
    result = CliRunner().invoke(command.app, arguments, env=environment, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_command_makes_lists_and_revokes_keys(settings: Settings) -> None:
    key = run_command(settings, "create", "--scopes", "recommend,read", "--label", "checkout").strip()
    listed = run_command(settings, "list")
    run_command(settings, "revoke", key[4:16])
    revoked = run_command(settings, "list")

    assert KEY_PATTERN.fullmatch(key), "nothing but the key goes to standard output"
    assert "checkout" in listed
    assert "recommend,read" in listed
    assert "active" in listed
    assert key[17:] not in listed
    assert "revoked" in revoked


def test_the_command_lists_keys_while_another_process_writes(settings: Settings) -> None:
    engine = create_database_engine(settings.database_url)

    with engine.begin() as connection:
        connection.execute(text("DELETE FROM api_keys"))
        listed = run_command(settings, "list")

    assert "key_id" in listed
    engine.dispose()


def test_a_key_of_the_command_opens(settings: Settings) -> None:
    key = run_command(settings, "create", "--scopes", " read , recommend ").strip()

    with running(settings, key, now=lambda: datetime.now(UTC)) as client:
        assert client.get(URL).status_code == 200


@pytest.mark.parametrize("scopes", ["root", "", ",", "read,root"])
def test_a_key_needs_known_scopes(settings: Settings, scopes: str) -> None:
    with pytest.raises(Exception, match="recommend, read, write, storefront, metrics, admin"):
        run_command(settings, "create", "--scopes", scopes)


def test_revoking_an_unknown_key_is_an_error(settings: Settings) -> None:
    with pytest.raises(Exception, match="no API key 000000000000"):
        run_command(settings, "revoke", "000000000000")


def test_scopes_are_the_documented_ones() -> None:
    assert [scope.value for scope in Scope] == ["recommend", "read", "write", "storefront", "metrics", "admin"]
