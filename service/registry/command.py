"""``nextoffer artifacts``: list, show, compare, activate and roll back trained artifacts."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from models.artifact import Content
from service.base.listing import AsJson, print_json, print_list
from service.base.settings import Settings
from service.sync.artifact_store import ArtifactStore, Listed
from service.sync.errors import RegistryUnreadable

app = typer.Typer(help="List, show, compare, activate and roll back trained artifacts.", no_args_is_help=True)

COLUMNS = ("version", "label", "as_of", "accounts", "products", "verdict", "active")


@app.command("list")
def show_all(is_json: AsJson = False) -> None:
    """List the artifacts, newest data first."""
    store = _store()
    try:
        active = store.active_version()
    except RegistryUnreadable as error:
        active = None
        typer.echo(f"Warning: {error}", err=True)
    items = [_item(listed, active) for listed in store.listed()]
    print_list(COLUMNS, [item | _columns(item) for item in items] if not is_json else items, is_json=is_json)


def _item(listed: Listed, active: str | None) -> dict[str, Any]:
    manifest = listed.manifest
    verdict = manifest.verdict if manifest else None
    return {
        "version": listed.version,
        "label": manifest.label if manifest else "",
        "state": "invalid" if verdict is None else "approved" if verdict.is_approved else "rejected",
        "reason": verdict.reason if verdict else listed.problem,
        "is_active": listed.version == active,
        "as_of": manifest.as_of if manifest else None,
        "timezone": manifest.timezone if manifest else None,
        "counts": manifest.counts if manifest else {},
        "size_bytes": sum(entry.size_bytes for entry in manifest.files.values()) if manifest else None,
    }


def _columns(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "accounts": item["counts"].get("accounts"),
        "products": item["counts"].get("products"),
        "verdict": "approved" if item["state"] == "approved" else f"{item['state']}: {item['reason']}",
        "active": "active" if item["is_active"] else "",
    }


@app.command()
def show(version: str, is_json: AsJson = False) -> None:
    """Show one artifact's manifest: what it was learned from, and how well it did."""
    manifest, _report = _store().show(version)
    document = manifest.to_document()
    if is_json:
        print_json(document)
    else:
        items = [{"field": name, "value": value} for name, value in _flat(document)]
        print_list(("field", "value"), items, is_json=False)


def _flat(document: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


@app.command()
def compare(
    a: Annotated[str, typer.Argument(help="The version to compare with.")],
    b: Annotated[str, typer.Argument(help="The version that is new.")],
    accounts: Annotated[int, typer.Option(min=1, help="How many accounts' offers are compared.")] = 1000,
    is_json: AsJson = False,
) -> None:
    """Compare two artifacts: metrics, sizes, data, and how far their offers agree.

    Differences are B less A. Offers are those of the artifacts alone, without what happened since, for a sample of
    the accounts that both know: the share with the same first offer, and the mean overlap of the first ten.
    """
    # It loads all that answers are made by.
    from service.registry.comparison import compare_artifacts

    store, options = _store(), Settings().arbitration
    compared = compare_artifacts(store.open(a), store.open(b), accounts, options)
    if is_json:
        print_json(compared)
    else:
        print_list(("name", "a", "b", "difference"), list(_compared_rows(compared)), is_json=False)


def _compared_rows(compared: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, value in compared["a"].items():
        yield {"name": name, "a": value, "b": compared["b"][name]}
    for name, value in compared["agreement"].items():
        yield {"name": f"agreement.{name}", "a": value, "b": value}
    for part in ("counts", "parameters", "metrics"):
        for row in compared[part]:
            # Bounds of intervals and sizes of samples are in the JSON: here they would bury the values.
            if not row["name"].endswith((".low", ".high", ".n")):
                yield row | {"name": f"{part}.{row['name'].removesuffix('.value')}"}


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


def _smoke_test(content: Content) -> None:
    # All that answers are made by: lists need none of it.
    from service.offers.smoke import smoke_test

    smoke_test(content)


def _store() -> ArtifactStore:
    return ArtifactStore(Settings().artifacts_dir, _smoke_test)
