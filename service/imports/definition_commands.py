"""``nextoffer import policies`` and ``nextoffer import goals``."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from sqlalchemy import Engine

from service.base.logging import Logs
from service.base.settings import Settings
from service.base.telemetry import Telemetry
from service.catalogue.live import CATALOGUE
from service.goals.importing import GoalFiles
from service.offers.smoke import smoke_test
from service.policies.importing import PolicyFiles
from service.readmodel.live_state import LiveState
from service.rows.definitions import DefinitionImport, DefinitionKind, import_definitions
from service.storage.database import check_schema, create_database_engine
from service.sync.artifact_holder import as_of_time
from service.sync.artifact_store import ArtifactStore
from service.sync.follower import ChangeFollower
from service.sync.sections import LiveSections

EXIT_REFUSED: Final = 4
POLICIES_HELP: Final = """Import policies: a JSON array, a JSON object on each line, or what GET /v1/policies answers.

Each policy replaces the one of its policy_id; importing the same file again changes nothing. Invalid ones are named by
place and reason, and the others go in; the exit code is then 4. Of built-in policies is_enabled alone counts.
"""
GOALS_HELP: Final = """Import goals: a JSON array, a JSON object on each line, or what GET /v1/goals answers.

Each goal replaces the one of its goal_id; importing the same file again changes nothing. Invalid ones are named by
place and reason, and the others go in; the exit code is then 4. How goals stand is left out.
"""
DefinitionFile = Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="JSON, or JSON lines.")]


def import_policies_command(file: DefinitionFile) -> None:
    run_import("Policies", file, lambda state, settings: PolicyFiles(state, settings.decision_retention_days))


def import_goals_command(file: DefinitionFile) -> None:
    run_import("Goals", file, lambda state, settings: GoalFiles(state, settings.timezone))


def run_import(title: str, file: Path, kind_of: Callable[[LiveState | None, Settings], DefinitionKind[Any]]) -> None:
    """Import a file into the database of the settings; exits with code 4 where something is refused."""
    settings, console = Settings(), Console(stderr=True, highlight=False)
    engine = create_database_engine(settings.database_url)
    try:
        check_schema(engine)
        kind = kind_of(open_state(engine, settings), settings)
        result = import_definitions(engine, file, kind, datetime.now(UTC))
    finally:
        engine.dispose()
    for line in report_lines(title, result):
        console.print(line, markup=False, soft_wrap=True)
    if result.refused:
        raise typer.Exit(EXIT_REFUSED)


def open_state(engine: Engine, settings: Settings) -> LiveState | None:
    """Read the products as they are now over the active artifact; None where there is none."""
    store = ArtifactStore(settings.artifacts_dir, smoke_test)
    version = store.active_version()
    if version is None:
        return None
    artifact = store.open(version)
    follower = ChangeFollower(engine, LiveSections((CATALOGUE,)), 1.0, Telemetry(), Logs("error").log)
    return follower.open(artifact.content, artifact.manifest.sequence, as_of_time(artifact.manifest))


def report_lines(title: str, result: DefinitionImport) -> list[str]:
    """Say what became of the definitions of a file."""
    counts = f"{len(result.created)} created, {len(result.updated)} updated, {len(result.unchanged)} unchanged"
    lines = [f"{place}{f' ({name})' if name else ''}: {reason}" for place, name, reason in result.refused]
    return [*lines, f"{title}: {counts}, {len(result.refused)} refused."]
