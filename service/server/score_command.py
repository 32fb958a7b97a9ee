"""``nextoffer score``: every account's list, as the service would answer, in a file."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress
from sqlalchemy import Engine, make_url

from models.artifact import Artifact
from service.base.logging import Logs
from service.base.progress import console
from service.base.settings import Settings
from service.base.telemetry import Telemetry
from service.base.windows import DEFAULT_WINDOWS, Windows
from service.offers.scores import known_accounts
from service.offers.smoke import smoke_test
from service.readmodel.live_state import LiveState
from service.readmodel.objections import Objections
from service.server.live_sections import LIVE_SECTIONS
from service.server.score_endings import ENDINGS, ending_of
from service.storage.database import check_schema, create_database_engine
from service.sync.artifact_holder import as_of_time
from service.sync.artifact_store import ArtifactStore
from service.sync.follower import ChangeFollower
from service.sync.sections import LiveSections
from service.training.command import offline_module
from service.training.errors import OptionInvalid


def score(
    out: Annotated[Path, typer.Option(dir_okay=False, help=f"File to write: {', '.join(ENDINGS)}.")],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Products per account.")] = 20,
    artifacts: Annotated[Path | None, typer.Option(file_okay=False, help="Folder of artifacts.")] = None,
    include_owned: Annotated[
        bool, typer.Option("--include-owned", help="Rank owned products too, except what a policy calls durable.")
    ] = False,
) -> None:
    """Write every account's list from the live artifact, for a CRM's nightly load.

    The lists are those that the service answers now: rules, curated relationships, and what happened since the
    training count. Accounts that object to marketing are left out. The ending of --out says the format; the file
    appears complete or not at all. An XLSX sheet holds 1,048,576 rows with its header: take --limit or CSV for more.
    """
    ending_of(out)
    score_file = offline_module("service.server.score_file")
    settings = Settings()
    if not out.parent.is_dir():
        raise OptionInvalid(f"--out {out}: there is no folder {out.parent}.")
    store = ArtifactStore(artifacts or settings.artifacts_dir, smoke_test)
    version = store.active_version()
    if version is None:
        raise OptionInvalid(f"No artifact is active in {store.root}. Run: nextoffer train")
    with open_engine(settings.database_url) as engine:
        state = open_state(store.open(version), engine, settings.windows)
    n_known = len(known_accounts(state))
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("score", total=n_known)
        n_rows, n_accounts = score_file.write_scores(
            state,
            out,
            limit,
            settings.arbitration,
            now=datetime.now(UTC),
            includes_owned=include_owned,
            progress=lambda done: progress.update(task, completed=done),
        )
    console.print(f"{n_rows:,} rows for {n_accounts:,} accounts in {out}", highlight=False)
    if engine is None:
        console.print("There is no database: what changed since the training, and who objects, is not known.")
    elif objecting := state.part(Objections).accounts:
        console.print(f"Left out because they object to marketing: {len(objecting):,} accounts.", highlight=False)


@contextmanager
def open_engine(url: str) -> Iterator[Engine | None]:
    """Open the database and check its schema; None where there is no database of this service."""
    path = make_url(url).database
    if make_url(url).get_backend_name() == "sqlite" and not (path and Path(path).exists()):
        yield None
        return
    engine = create_database_engine(url)
    try:
        check_schema(engine)
        yield engine
    finally:
        engine.dispose()


def open_state(artifact: Artifact, engine: Engine | None, windows: Windows = DEFAULT_WINDOWS) -> LiveState:
    """Read what happened since an artifact, as the service does when it loads one; nothing without a database."""
    if engine is None:
        return LiveState(artifact.content, artifact.manifest.sequence or 0)
    sections = LiveSections(LIVE_SECTIONS)
    follower = ChangeFollower(engine, sections, 1.0, Telemetry(), Logs("error").log, windows)
    return follower.open(artifact.content, artifact.manifest.sequence, as_of_time(artifact.manifest))
