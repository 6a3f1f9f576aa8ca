"""``webhook-service migrate``: the database's schema."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from webhook_service.cli.options import Output, OutputOption
from webhook_service.cli.output import print_json

if TYPE_CHECKING:
    from webhook_service.cli.progress import Lines
    from webhook_service.settings import Settings
    from webhook_service.store.database.database import Database


@dataclass(frozen=True, slots=True)
class State:
    """Where the schema is and should be; tables whose next number is taken; indexes to build."""

    revision: str | None
    needed: str
    misnumbered: list[str]
    unbuilt: list[str]

    @property
    def advice(self) -> str:
        """What to do about a schema that does not fit."""
        from webhook_service.store.migrate import remedy

        return remedy(self.revision)


def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; fail if the schema is not current.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Update the database to the schema that this version needs."""
    from webhook_service.cli.connection.connect import require_local
    from webhook_service.settings import load_settings

    require_local("migrate")
    state = (look if check else upgrade)(load_settings())
    found, needed = state.revision, state.needed
    current = found == needed and not (state.misnumbered or state.unbuilt)
    if output is Output.JSON:
        print_json(
            {
                "revision": found,
                "needed": needed,
                "misnumbered": state.misnumbered,
                "unbuilt": state.unbuilt,
                "current": current,
            }
        )
    else:
        verdict = "current" if found == needed else f"this version needs {needed}; {state.advice}"
        typer.echo(f"The database is at {found or 'no revision'}: {verdict}.")
        for table in state.misnumbered:
            typer.echo(
                f"The next row of {table} would get a number that is taken, as rows were copied "
                "without their sequence: run 'webhook-service migrate'."
            )
        for index in state.unbuilt:
            typer.echo(
                f"The index {index} is missing or half made, so lists are slower: "
                "run 'webhook-service migrate'."
            )
    if not current:
        raise typer.Exit(1)


def upgrade(settings: Settings) -> State:
    """Run the missing migrations; how the database is now."""
    from webhook_service.cli.progress import progress
    from webhook_service.store import migrate

    with _opened(settings) as database:
        # A database of a newer version is refused, never changed.
        before = migrate.current_revision(database) or ""
        if not migrate.is_newer(before):
            with progress("looks at the schema") as shown:
                migrate.upgrade(database, tell=lambda reached: _tell(before, reached, shown))
        return _state(database)


def _tell(before: str, reached: str, shown: Lines) -> None:
    """Say how far the migration is: revisions are numbers."""
    from webhook_service.store.migrate import HEAD

    done, total = (int(revision) - int(before or 0) for revision in (reached, HEAD))
    shown.tell(f"schema {reached} of {HEAD}", done, total)


def look(settings: Settings) -> State:
    """How the database is; a file that is not there is not made."""
    from webhook_service.store.migrate import HEAD

    if settings.missing_sqlite_file:
        return State(None, HEAD, [], [])
    with _opened(settings) as database:
        return _state(database)


def _state(database: Database) -> State:
    from webhook_service.store import migrate, unlocked_indexes

    found = migrate.current_revision(database)
    if found != migrate.HEAD:
        return State(found, migrate.HEAD, [], [])
    unbuilt = unlocked_indexes.unbuilt(database)
    return State(found, migrate.HEAD, migrate.misnumbered(database), unbuilt)


@contextmanager
def _opened(settings: Settings) -> Iterator[Database]:
    from webhook_service.store.database.database import Database

    with closing(Database(settings.database_url)) as database:
        yield database
