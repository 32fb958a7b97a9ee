"""A key is handed over without a pause, and ends when it should."""

from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from service.auth.command import app
from service.auth.errors import KeyNotFound
from service.auth.key_ring import KeyRing
from service.auth.keys import parse_key
from service.auth.queries import create_key, load_keys, revoke_key, rotate_key
from service.base.settings import Settings
from service.storage.database import create_database_engine, session_factory, session_scope
from tests.service.conftest import NOON, make_key, part_of, running, wait_until

URL = "/v1/recommendations/ann"
OVERLAP = timedelta(minutes=30)


def key_id_of(text: str) -> str:
    parsed = parse_key(text)
    assert parsed is not None
    return parsed[0]


def test_the_new_key_is_like_the_old_one_which_ends_after_the_overlap(database_url: str) -> None:
    engine = create_database_engine(database_url)
    with session_scope(session_factory(engine)) as session:
        old = create_key(session, "checkout", ["recommend", "read"], NOON, rate_limit="10/second")

        new = rotate_key(session, key_id_of(old), NOON, OVERLAP)

        session.flush()
        keys = load_keys(session)
    engine.dispose()
    before, after = keys[key_id_of(old)], keys[key_id_of(new)]
    assert after.principal.scopes == before.principal.scopes == {"recommend", "read"}
    assert after.principal.rate_limit == before.principal.rate_limit is not None
    assert after.expires_at is None
    assert before.expires_at == NOON + OVERLAP


def test_an_earlier_end_is_not_put_off(database_url: str) -> None:
    engine = create_database_engine(database_url)
    with session_scope(session_factory(engine)) as session:
        old = create_key(session, "x", ["read"], NOON, expires_in_days=1)
        rotate_key(session, key_id_of(old), NOON, timedelta(days=7))
        session.flush()
        ends = load_keys(session)[key_id_of(old)].expires_at
    engine.dispose()

    assert ends == NOON + timedelta(days=1)


def test_a_key_that_stands_no_longer_is_not_handed_over(database_url: str) -> None:
    engine = create_database_engine(database_url)
    with session_scope(session_factory(engine)) as session:
        revoked, expired = create_key(session, "x", ["read"], NOON), create_key(session, "y", ["read"], NOON, 1)
        revoke_key(session, key_id_of(revoked), NOON)
        for text in (revoked, expired):
            with pytest.raises(KeyNotFound):
                rotate_key(session, key_id_of(text), NOON + timedelta(days=2), OVERLAP)
    engine.dispose()


def test_both_keys_open_until_the_overlap_ends(settings: Settings, version: str) -> None:
    old = make_key(settings.database_url, "recommend")
    clock = [NOON]
    engine = create_database_engine(settings.database_url)
    with running(settings, now=lambda: clock[0]) as client:

        def status(key: str) -> int:
            return client.get(URL, headers={"X-API-Key": key}).status_code

        assert status(old) == 200
        with session_scope(session_factory(engine)) as session:
            new = rotate_key(session, key_id_of(old), NOON, OVERLAP)
        assert (status(new), status(old)) == (200, 200)
        wait_until(lambda: part_of(client, KeyRing)._keys[key_id_of(old)].expires_at is not None)
        clock[0] = NOON + OVERLAP
        assert (status(new), status(old)) == (200, 401)
    engine.dispose()


def test_the_command_prints_the_new_key_alone(settings: Settings, tmp_path: Path) -> None:
    old = make_key(settings.database_url, "recommend,read")
    environment = {"NEXTOFFER_DATABASE_URL": settings.database_url}

    rotated = CliRunner().invoke(app, ["rotate", key_id_of(old)], env=environment)
    listed = CliRunner().invoke(app, ["list"], env=environment)

    assert rotated.exit_code == 0
    assert parse_key(rotated.stdout.strip()) is not None
    assert listed.stdout.count("recommend") == 2
