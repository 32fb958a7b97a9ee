"""A running application over a small real artifact."""

import io
import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest
from starlette.testclient import TestClient

from service.auth.queries import create_key
from service.base.components import components_of
from service.base.logging import Logs
from service.base.settings import Settings
from service.offers.smoke import smoke_test
from service.server.app import create_app
from service.storage.database import create_database_engine, session_factory, session_scope
from service.sync import listener
from service.sync.artifact_store import ArtifactStore
from tests.artifacts import World, coffee_world, write_world
from tests.shop import AS_OF, Shop, open_shop

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
Part = TypeVar("Part")


@pytest.fixture(scope="session", autouse=True)
def short_waits() -> Iterator[None]:
    """On PostgreSQL an application waits for its listener when it stops: up to half a second, hundreds of times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listener, "NOTIFICATION_WAIT_SECONDS", 0.02)
        yield


@pytest.fixture
def artifacts_dir(tmp_path: Path) -> Path:
    """An empty registry."""
    folder = tmp_path / "artifacts"
    folder.mkdir()
    return folder


@pytest.fixture
def world() -> World:
    """The world that the artifact knows."""
    return coffee_world()


class InstallWorld(Protocol):
    """Writes and activates a world's artifact in an empty registry, and returns its version."""

    def __call__(self, artifacts_dir: Path, world: World, *, sequence: int | None = None) -> str:
        """Arguments are those of ``write_world``."""


@pytest.fixture(scope="session")
def install_world(tmp_path_factory: pytest.TempPathFactory) -> InstallWorld:
    """Each artifact is written once, and copied for every test."""
    registries: dict[str, ArtifactStore] = {}

    def install(artifacts_dir: Path, world: World, *, sequence: int | None = None) -> str:
        name = repr((world, sequence))
        if name not in registries:
            registries[name] = ArtifactStore(tmp_path_factory.mktemp("registry"), smoke_test)
            registries[name].activate(write_world(registries[name].root, world, sequence=sequence))
        shutil.copytree(registries[name].root, artifacts_dir, dirs_exist_ok=True)
        return str(registries[name].active_version())

    return install


@pytest.fixture
def version(artifacts_dir: Path, world: World, install_world: InstallWorld) -> str:
    """The world's artifact, written and activated."""
    return install_world(artifacts_dir, world)


@pytest.fixture(scope="session")
def sold_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with an artifact whose accounts have a history, activated: to be copied."""
    # It loads what training needs, which most tests do not.
    from tests.sold import write_sold

    folder = tmp_path_factory.mktemp("sold")
    ArtifactStore(folder, smoke_test).activate(write_sold(folder))
    return folder


@pytest.fixture
def sold_version(artifacts_dir: Path, sold_registry: Path) -> str:
    """That artifact, written and activated."""
    shutil.copytree(sold_registry, artifacts_dir, dirs_exist_ok=True)
    return str(ArtifactStore(artifacts_dir, smoke_test).active_version())


def make_settings(database_url: str, artifacts_dir: Path) -> Settings:
    """Settings that refresh fast enough for a test to wait."""
    return Settings(
        database_url=database_url,
        artifacts_dir=artifacts_dir,
        key_refresh_seconds=0.1,
        artifact_poll_seconds=0.05,
        change_poll_seconds=0.05,
        max_sequence_wait_seconds=0.3,
    )


SHOP_ORIGIN = "https://shop.example"


def make_key(
    database_url: str,
    scopes: str,
    *,
    now: datetime = NOON,
    expires_in_days: int | None = None,
    origins: Sequence[str] | None = None,
    rate_limit: str | None = None,
) -> str:
    """Store a key and return its text. A storefront's key is bound to SHOP_ORIGIN unless other origins are given."""
    if origins is None:
        origins = [SHOP_ORIGIN] if scopes == "storefront" else []
    engine = create_database_engine(database_url)
    with session_scope(session_factory(engine)) as session:
        text = create_key(session, "test", scopes.split(","), now, expires_in_days, rate_limit, origins)
    engine.dispose()
    return text


@contextmanager
def running(
    settings: Settings,
    key: str | None = None,
    *,
    now: Callable[[], datetime] = lambda: NOON,
    log_stream: io.BytesIO | None = None,
) -> Iterator[TestClient]:
    """Start the application and stop it at the end; the client sends the key with each request."""
    app = create_app(settings, now=now, logs=Logs("info", log_stream or io.BytesIO()))
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with TestClient(app, headers=headers) as client:
        yield client


def part_of(client: TestClient, kind: type[Part]) -> Part:
    """Return a part of the application that a client asks."""
    return components_of(client.app).get(kind)


def write_lines(path: Path, *values: Any) -> Path:
    """Write a file of JSON lines; a text is written as it is."""
    path.write_text("\n".join(value if isinstance(value, str) else json.dumps(value) for value in values))
    return path


class Watch:
    """A clock that is set by hand; it stands at noon of March 1st, 2024."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        """Return what it shows."""
        return self.now


@pytest.fixture
def watch() -> Watch:
    """The clock of the application."""
    return Watch()


@pytest.fixture
def settings(sqlite_url: str, artifacts_dir: Path) -> Settings:
    """Settings over SQLite."""
    return make_settings(sqlite_url, artifacts_dir)


@pytest.fixture
def client(settings: Settings, version: str) -> Iterator[TestClient]:
    """An admin's client of an application with the world's artifact."""
    with running(settings, make_key(settings.database_url, "admin")) as made:
        yield made


@pytest.fixture(scope="module")
def shared_settings(
    migrated_sqlite: Path, install_world: InstallWorld, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """Settings over the coffee shop's artifact and a database that the tests of a module share."""
    folder = tmp_path_factory.mktemp("shared")
    shutil.copy(migrated_sqlite, folder / "nextoffer.db")
    install_world(folder / "artifacts", coffee_world())
    return make_settings(f"sqlite:///{folder / 'nextoffer.db'}", folder / "artifacts")


@pytest.fixture(scope="module")
def shared_client(shared_settings: Settings) -> Iterator[TestClient]:
    """An admin's client of an application that the tests of a module share: for what only reads, or is refused."""
    with running(shared_settings, make_key(shared_settings.database_url, "admin")) as made:
        yield made


@pytest.fixture(scope="session")
def opened_shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A shop with its history in a database, and the artifact that was trained on it: to be copied."""
    return open_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def shop(opened_shop: Shop, tmp_path: Path) -> Shop:
    """The shop, for a test of its own."""
    shutil.copy(opened_shop.database, tmp_path / "shop.db")
    return Shop(tmp_path / "shop.db", opened_shop.artifacts)


@pytest.fixture
def shop_client(shop: Shop) -> Iterator[TestClient]:
    """An admin's client of an application over the shop, on the day of its artifact."""
    settings = make_settings(f"sqlite:///{shop.database}", shop.artifacts)
    with running(settings, make_key(settings.database_url, "admin", now=AS_OF), now=lambda: AS_OF) as made:
        yield made


def wait_until(is_so: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for something that a background loop does; fails if it does not come."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.02)
