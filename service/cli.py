"""The ``nextoffer`` command: the composition root, alone allowed to import everything."""

import errno
import sys
from typing import Annotated

import typer
from alembic import command as alembic_command
from alembic.util import CommandError
from pydantic import ValidationError
from rich.text import Text
from sqlalchemy.exc import SQLAlchemyError

from models.artifact import ArtifactInvalid
from models.data.errors import HistoryInvalid
from service.auth.command import app as keys
from service.base.errors import DomainError
from service.base.progress import console
from service.base.settings import Settings
from service.demo.command import demo
from service.erasure.command import erase
from service.imports.arguments import with_file_options
from service.imports.command import app as imports
from service.registry.command import app as artifacts
from service.server.score_command import score
from service.server.serving import serve
from service.storage.database import alembic_config
from service.training import command as training

app = typer.Typer(
    help="Next best offer from a company's own sales history.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EACCES)
database = typer.Typer(help="The database's schema.", no_args_is_help=True)
app.add_typer(database, name="db")
app.add_typer(imports, name="import")
app.add_typer(keys, name="keys")
app.add_typer(artifacts, name="artifacts")
app.command("train")(with_file_options(training.train, "orders"))
app.command()(score)
app.command()(serve)
app.command()(demo)
app.command()(erase)


@database.command()
def upgrade(
    revision: Annotated[str, typer.Argument(help="Migrate up to this version; the newest by default.")] = "head",
) -> None:
    """Create or upgrade the schema of the database that NEXTOFFER_DATABASE_URL names."""
    url = Settings().database_url
    alembic_command.upgrade(alembic_config(url), revision)
    console.print("The database is up to date.")


def main() -> None:
    """Run a command; what the user can mend is said in one line, without a stack trace."""
    try:
        app()
    except (DomainError, ArtifactInvalid, HistoryInvalid) as error:
        fail(str(error))
    except ValidationError as error:
        fail("; ".join(f"NEXTOFFER_{str(problem['loc'][0]).upper()}: {problem['msg']}" for problem in error.errors()))
    except CommandError as error:
        fail(f"The database was made by another release, or is no database of nextoffer's: {error}")
    except SQLAlchemyError as error:
        fail(f"The database failed: {str(error).splitlines()[0]}")
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        fail(f"{error.strerror}: {error.filename or 'while writing'}. What was there before is as it was.")


def fail(message: str) -> None:
    """Say what is wrong on standard error and end with code 1."""
    console.print("[bold red]Error:[/]", Text(message), highlight=False, soft_wrap=True)
    sys.exit(1)
