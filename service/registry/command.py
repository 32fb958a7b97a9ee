"""``nextoffer artifacts``: list, show, activate and roll back trained artifacts."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from service.base.settings import Settings
from service.offers.smoke import smoke_test
from service.sync.artifact_store import ArtifactStore
from service.sync.errors import RegistryUnreadable

app = typer.Typer(help="List, show, activate and roll back trained artifacts.", no_args_is_help=True)


@app.command("list")
def show_all() -> None:
    """List the artifacts, newest data first."""
    store = _store()
    try:
        active = store.active_version()
    except RegistryUnreadable as error:
        active = None
        typer.echo(f"Warning: {error}", err=True)
    table = Table(Column("version", no_wrap=True), "as of", "accounts", "products", "verdict", "active")
    for listed in store.listed():
        is_active = "active" if listed.version == active else ""
        if listed.manifest is None:
            table.add_row(listed.version, "", "", "", f"invalid: {listed.problem}", is_active)
            continue
        counts, verdict = listed.manifest.counts, listed.manifest.verdict
        table.add_row(
            listed.version,
            listed.manifest.as_of,
            str(counts.get("accounts", "")),
            str(counts.get("products", "")),
            "approved" if verdict.is_approved else f"rejected: {verdict.reason}",
            is_active,
        )
    Console().print(table)


@app.command()
def show(version: str) -> None:
    """Show one artifact's manifest: what it was learned from, and how well it did."""
    manifest, _report = _store().show(version)
    Console().print_json(manifest.to_json())


@app.command()
def activate(
    version: str, force: Annotated[bool, typer.Option(help="Serve it although the gate rejected it.")] = False
) -> None:
    """Verify an artifact and make it the one in use."""
    _store().activate(version, force=force)
    typer.echo(f"Activated {version}.")


@app.command()
def rollback() -> None:
    """Go back to the good artifact that was in use before."""
    version = _store().rollback()
    typer.echo(f"Rolled back to {version}.")


def _store() -> ArtifactStore:
    return ArtifactStore(Settings().artifacts_dir, smoke_test)
