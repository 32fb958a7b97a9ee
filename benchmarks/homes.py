"""Folders with a database and an artifact to serve, each made once."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from alembic import command

from benchmarks.histories import write_segmented_world
from benchmarks.servers import BIN
from benchmarks.worlds import write_world
from service.auth.queries import create_key
from service.base.clock import utc_now
from service.offers.smoke import smoke_test
from service.storage.database import alembic_config, create_database_engine, session_factory, session_scope
from service.sync.artifact_store import ArtifactStore

FOLDER = Path("var/bench").resolve()


def demo_home() -> Path:
    """A folder with the demo's database and artifact, made once."""
    home = FOLDER / "demo"
    home.mkdir(parents=True, exist_ok=True)
    subprocess.run([str(BIN / "nextoffer"), "demo", "--no-serve"], cwd=home, check=True, stdout=subprocess.DEVNULL)
    return home


def synthetic_home(n_accounts: int) -> Path:
    """A folder with an empty database and an artifact of so many accounts, made once."""
    return made_home(f"accounts-{n_accounts}", lambda root: write_world(root, n_accounts))


def segmented_home(n_accounts: int) -> Path:
    """The same of accounts that have a history, with all that is learned of it."""
    return made_home(f"segmented-{n_accounts}", lambda root: write_segmented_world(root, n_accounts))


def made_home(name: str, write: Callable[[Path], str]) -> Path:
    home = FOLDER / name
    (home / "var").mkdir(parents=True, exist_ok=True)
    command.upgrade(alembic_config(database_url(home)), "head")
    if ArtifactStore(home / "var" / "artifacts", smoke_test).active_version() is None:
        write(home / "var" / "artifacts")
    return home


def make_key(home: Path, scopes: Sequence[str] = ("recommend",)) -> str:
    engine = create_database_engine(database_url(home))
    with session_scope(session_factory(engine)) as session:
        key = create_key(session, "benchmark", list(scopes), utc_now())
    engine.dispose()
    return key


def database_url(home: Path) -> str:
    return f"sqlite:///{home}/var/nextoffer.db"


def artifact_folder(home: Path) -> Path:
    store = ArtifactStore(home / "var" / "artifacts", smoke_test)
    return store.folder_of(store.active_version() or "")


def size_mib(home: Path) -> float:
    return sum(path.stat().st_size for path in artifact_folder(home).iterdir()) / 2**20


def known(home: Path) -> tuple[list[str], list[str]]:
    """The artifact's accounts, and its 3,000 most popular products."""
    content = ArtifactStore(home / "var" / "artifacts", smoke_test).open(artifact_folder(home).name).content
    popular = content.popular_products[:3000].tolist()
    return list(content.account_ids.texts), [content.products.ids.texts[row] for row in popular]
