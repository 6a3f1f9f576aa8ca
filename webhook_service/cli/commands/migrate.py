"""``webhook-service migrate``: the database's schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from webhook_service.cli.options import Output, OutputOption
from webhook_service.cli.output import print_json

if TYPE_CHECKING:
    from webhook_service.settings import Settings


def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; fail if the schema is not current.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Update the database to the schema that this version needs."""
    from webhook_service.settings import load_settings

    found, needed = (read_revisions if check else upgrade)(load_settings())
    current = found == needed
    if output is Output.JSON:
        print_json({"revision": found, "needed": needed, "current": current})
    else:
        verdict = "current" if current else f"this version needs {needed}"
        typer.echo(f"The database is at {found or 'no revision'}: {verdict}.")
    if not current:
        raise typer.Exit(1)


def upgrade(settings: Settings) -> tuple[str | None, str]:
    """Run the missing migrations; where the database is now, and where it should be."""
    from webhook_service.store import migrate
    from webhook_service.store.database import Database

    database = Database(settings.database_url)
    try:
        # A database of a newer version is refused, never changed.
        if (migrate.current_revision(database) or "") <= migrate.HEAD:
            migrate.upgrade(database)
        return migrate.current_revision(database), migrate.HEAD
    finally:
        database.close()


def read_revisions(settings: Settings) -> tuple[str | None, str]:
    """Where the database is, and where it should be."""
    from webhook_service.store import migrate
    from webhook_service.store.database import Database

    database = Database(settings.database_url)
    try:
        return migrate.current_revision(database), migrate.HEAD
    finally:
        database.close()
