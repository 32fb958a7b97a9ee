"""The ``nextoffer`` command: the composition root, alone allowed to import everything.

A command is imported when it is called: loading all of them takes seconds, and ``nextoffer --help`` needs none.
"""

import errno
import sys
from importlib import import_module
from typing import Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from service.base.errors import DomainError

DISK_ERRORS: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EACCES)

OFFLINE_ERRORS: Final = (("models.artifact", "ArtifactInvalid"), ("models.data.errors", "HistoryInvalid"))
"""Domain errors of the offline side, each with its module."""


class LazyCommand(NamedTuple):
    """A command, or a group of them, that is not imported yet. help: the first paragraph of its own."""

    module: str
    attribute: str
    help: str

    def load(self, name: str) -> Any:
        """Import it and make the command that Typer runs."""
        target = getattr(import_module(self.module), self.attribute)
        group = typer.Typer(add_completion=False, callback=lambda: None)
        if isinstance(target, typer.Typer):
            group.add_typer(target, name=name)
        else:
            group.command(name)(target)
        made: Any = typer.main.get_command(group)
        return made.commands[name]


COMMANDS: Final = {
    "train": LazyCommand(
        "service.training.command",
        "command",
        "Learn from the sales history and publish an artifact if it is good enough.",
    ),
    "score": LazyCommand(
        "service.server.score_command",
        "score",
        "Write every account's list from the live artifact, for a CRM's nightly load.",
    ),
    "serve": LazyCommand(
        "service.server.serving",
        "serve",
        "Answer over HTTP, on 127.0.0.1:8000 unless --host and --port or the settings say otherwise.",
    ),
    "demo": LazyCommand(
        "service.demo.command",
        "demo",
        "Import a year of real grocery orders, train, evaluate, publish and serve, all of it under ./var.",
    ),
    "erase": LazyCommand(
        "service.erasure.command",
        "erase",
        "Forget a person: delete an account and all that is stored under it. Running services follow within a second.",
    ),
    "db": LazyCommand("service.storage.command", "app", "The database's schema."),
    "import": LazyCommand(
        "service.imports.command",
        "app",
        "Import accounts, products, orders, relationships, deals, exchange rates from CSV, NDJSON (gzipped or not), "
        "Parquet, XLSX; and policies and goals from JSON.",
    ),
    "keys": LazyCommand("service.auth.command", "app", "Make, list, rotate and revoke API keys."),
    "artifacts": LazyCommand(
        "service.registry.command", "app", "List, show, compare, activate and roll back trained artifacts."
    ),
}


class LazyGroup(TyperGroup):
    """Lists the commands by their texts here, and imports the one that is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, command in COMMANDS.items():
            self.add_command(TyperCommand(name, help=command.help))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, _placeholder, rest = super().resolve_command(ctx, args)
        return name, COMMANDS[name].load(name) if name else None, rest


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def show_version(is_wanted: bool) -> None:
    """Print the version and end."""
    if is_wanted:
        # It brings the packages for e-mail along, which no command needs.
        from importlib.metadata import version

        typer.echo(f"nextoffer {version('nextoffer')}")
        raise typer.Exit


@app.callback()
def nextoffer(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", is_eager=True, callback=show_version)
    ] = False,
) -> None:
    """Next best offer from a company's own sales history."""


def main() -> None:
    """Run a command; what the user can mend is said in one line, without a stack trace."""
    try:
        app()
    except Exception as error:
        message = explain(error)
        if message is None:
            raise
        fail(message)


def explain(error: Exception) -> str | None:
    """Return what to say of an error that the user can mend; None of any other."""
    if isinstance(error, DomainError) or any(is_error_of(error, *own) for own in OFFLINE_ERRORS):
        return str(error)
    if is_error_of(error, "pydantic", "ValidationError"):
        invalid: Any = error
        # A validator's own words come with pydantic's prefix.
        problems = (
            (str(problem["loc"][0]).upper(), problem["msg"].removeprefix("Value error, "))
            for problem in invalid.errors()
        )
        return "; ".join(f"NEXTOFFER_{name}: {problem}" for name, problem in problems)
    if is_error_of(error, "alembic.util", "CommandError"):
        return f"The database was made by another release, or is no database of nextoffer's: {error}"
    if is_error_of(error, "sqlalchemy.exc", "SQLAlchemyError"):
        return f"The database failed: {str(error).splitlines()[0]}"
    if isinstance(error, OSError) and error.errno in DISK_ERRORS:
        return f"{error.strerror}: {error.filename or 'while writing'}. What was there before is as it was."
    return None


def is_error_of(error: Exception, module: str, name: str) -> bool:
    """Tell whether an error is of a class whose module may not be imported: then it is not."""
    loaded = sys.modules.get(module)
    return isinstance(error, getattr(loaded, name, ()))


def fail(message: str) -> None:
    """Say what is wrong on standard error and end with code 1."""
    from rich.text import Text

    from service.base.progress import console

    console.print("[bold red]Error:[/]", Text(message), highlight=False, soft_wrap=True)
    sys.exit(1)
