"""``nextoffer db``: the database's schema."""

from typing import Annotated

import typer

from service.base.progress import console
from service.base.settings import Settings
from service.storage.database import upgrade_schema

app = typer.Typer(help="The database's schema.", no_args_is_help=True)


@app.command()
def upgrade(
    revision: Annotated[str, typer.Argument(help="Migrate up to this version; the newest by default.")] = "head",
) -> None:
    """Create or upgrade the schema of the database that NEXTOFFER_DATABASE_URL names."""
    upgrade_schema(Settings().database_url, revision)
    console.print("The database is up to date.")
