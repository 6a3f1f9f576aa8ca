"""Connect a command with the service that it is about: one elsewhere, or the local database.

Commands speak to the client of the management API alone, so that each does the same in both cases.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import typer

from webhook_service.cli.connection.contexts import Remote, load_contexts
from webhook_service.cli.people import person
from webhook_service.cli.tables import SHORTEST_ID
from webhook_service.net.urls import is_http_url

if TYPE_CHECKING:
    from ssl import SSLContext

    from webhook_service.client import Client
    from webhook_service.resources import InboxResource, ReceiverResource
    from webhook_service.service import WebhookService
    from webhook_service.settings import Settings

ID_LENGTH = 36
NEW_DATABASE = (
    "There was no database yet: made a new one, {}. For a service elsewhere see "
    "'webhook-service context add --help'."
)
NO_PROJECT = "is needed; the variable WEBHOOK_SERVICE_PROJECT names one for every command."
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Connection:
    """The service that a command is about.

    Attributes:
        project: the one that was named; None where the token says which.
        service: that of the local database; None if the service is elsewhere.
    """

    client: Client
    project: str | None
    service: WebhookService | None
    settings: Settings | None

    def receiver_id(self, text: str) -> str:
        """The id of the receiver that a name, an id or the beginning of an id means.

        Raises:
            NotFound: there is none.
        """
        if text.startswith("rcv_"):
            return self.whole_id("receivers", "receiver", text)
        return self._known("receiver", text, self.client.receivers.find(text))

    def inbox_id(self, text: str) -> str:
        """The id of an inbox, likewise."""
        if text.startswith("inb_"):
            return self.whole_id("inboxes", "inbox", text)
        return self._known("inbox", text, self.client.inboxes.find(text))

    def whole_id(self, path: str, noun: str, text: str) -> str:
        """The id that an id, or the beginning of one, means.

        Args:
            path: of the list in the API.
            noun: what it is called in messages.

        Raises:
            NotFound: there is none.
            InvalidRequest: there are several.
        """
        from webhook_service.errors import InvalidRequest
        from webhook_service.resources import CollectionResource
        from webhook_service.resources.base import IdResource

        # Ids begin with the time: less of one could mean any object, and commands delete.
        if len(text) < SHORTEST_ID:
            raise self._missing(noun, text)
        query = {"id": text} if len(text) == ID_LENGTH else {"idPrefix": text}
        page = self.client.get(CollectionResource[IdResource], path, limit="2", **query)
        if not page.data:
            raise self._missing(noun, text)
        if len(page.data) > 1:
            raise InvalidRequest(
                f"Several ids begin with {text[:100]}: give more of it, such as {page.data[0].id}."
            )
        return page.data[0].id

    def receiver_names(self) -> Mapping[str, str]:
        """The names of the project's receivers, by id."""
        return {each.id: each.name for each in self.client.receivers.list(limit=1000)}

    def inbox_names(self) -> Mapping[str, str]:
        """The names of the project's inboxes, by id."""
        return {each.id: each.name for each in self.client.inboxes.list(limit=1000)}

    def _known(self, noun: str, text: str, found: ReceiverResource | InboxResource | None) -> str:
        if found is None:
            raise self._missing(noun, text)
        return found.id

    def _missing(self, noun: str, text: str) -> Exception:
        from webhook_service.errors import NotFound

        where = "the project" if self.project is None else f"the project {self.project}"
        return NotFound(f"There is no {noun} {text[:100]!r} in {where}: see '{noun} list'.")


def chosen() -> Remote | None:
    """The service that options, variables or the current context name; None is the local database.

    Raises:
        InvalidRequest: a context that does not exist, or a token without a server.
    """
    return choose(_before_the_command())


def named_in_place() -> str | None:
    """The server or context that an option or a variable names: it counts, whatever is current."""
    given = _before_the_command()
    found: str | None = given.get("server") or given.get("context")
    return found


def trusted() -> SSLContext | bool:
    """Whose certificates to trust: those of --ca-file, else of the context, else the system's."""
    file, remote = _before_the_command().get("ca_file"), chosen()
    return _trusted(file or (None if remote is None else remote.ca_file))


def _before_the_command() -> Mapping[str, Any]:
    """The options that stand before the command, or in variables."""
    from typer._click.globals import get_current_context

    context = get_current_context(silent=True)
    return {} if context is None else context.find_root().params


def choose(given: Mapping[str, Any]) -> Remote | None:
    """See ``chosen``; ``given`` has the options that stand before the command."""
    server, token, ca_file = given.get("server"), given.get("token"), given.get("ca_file")
    if server:
        return Remote(server, token, None, ca_file)
    contexts = load_contexts()
    name = given.get("context") or contexts.current
    found = None if name is None else contexts.get(name)
    if found is None and token:
        raise typer.BadParameter("needs --server too.", param_hint="--token")
    if found is None:
        return None
    return Remote(found.server, token or found.token, found.project, ca_file or found.ca_file)


@contextmanager
def connect(
    project: str | None = None, by: str | None = None, *, any_project: bool = False
) -> Iterator[Connection]:
    """Open the service that is chosen; closed again at the end.

    Args:
        project: the one to act in.
        by: the name of whoever acts; only the local database takes it.
        any_project: whether the command is not about one project.
    """
    remote = chosen()
    if remote is None:
        if project is None and not any_project:
            raise typer.BadParameter(NO_PROJECT, param_hint="--project / -p")
        with _local(project, by) as local:
            yield local
        return
    if by is not None:
        raise typer.BadParameter("a server knows you by your token.", param_hint="--by")
    with open_remote(remote, project) as elsewhere:
        yield elsewhere


@contextmanager
def connect_local(what: str) -> Iterator[tuple[WebhookService, Settings]]:
    """Open the local database, for what no server does for others.

    Raises:
        InvalidRequest: a server is chosen.
    """
    require_local(what)
    with _local(None, None) as opened:
        assert opened.service is not None and opened.settings is not None
        yield opened.service, opened.settings


def require_local(what: str) -> None:
    """Make sure that a command which works on this host's database is not meant for a server.

    Raises:
        InvalidRequest: a server is chosen.
    """
    from webhook_service.errors import InvalidRequest

    if (remote := chosen()) is not None:
        raise InvalidRequest(
            f"{what} works on the service's own host only, and not over {remote.server}: run it "
            "there, or with --context local."
        )


@contextmanager
def open_remote(remote: Remote, project: str | None = None) -> Iterator[Connection]:
    """Open a service that is elsewhere."""
    from webhook_service.client import Client

    _check_server(remote)
    project = project or remote.project
    with Client(
        remote.server, remote.token, project=project, verify=_trusted(remote.ca_file)
    ) as client:
        yield Connection(client, project, None, None)


@contextmanager
def _local(project: str | None, by: str | None) -> Iterator[Connection]:
    from webhook_service.cli.connection.local import LocalTransport
    from webhook_service.client import Client, Retries
    from webhook_service.service import WebhookService
    from webhook_service.settings import load_settings

    settings = load_settings()
    new = settings.missing_sqlite_file  # often somebody else's database was meant
    base_url = settings.base_url or f"http://{settings.listen}"
    with WebhookService.open(settings, run=False) as service:
        if new is not None:
            typer.echo(NEW_DATABASE.format(new), err=True)
        transport = LocalTransport(service, person(by), base_url)
        once = Retries(most=1)
        with Client(base_url, project=project, retries=once, transport=transport) as client:
            yield Connection(client, project, service, settings)


def _check_server(remote: Remote) -> None:
    if not is_http_url(remote.server):
        raise typer.BadParameter("is no http:// or https:// URL.", param_hint="--server")
    token = remote.token or ""
    if not token.isascii() or not token.isprintable():
        # It could not be sent, and the fault would be looked for at the service.
        raise typer.BadParameter(
            "is no API token: it begins with wht_, and has letters, digits, - and _.",
            param_hint="--token",
        )
    parts = urlsplit(remote.server)
    if parts.scheme == "http" and remote.token and parts.hostname not in _LOOPBACK:
        typer.echo(f"Warning: the token goes to {parts.hostname} without encryption.", err=True)


def _trusted(ca_file: str | None) -> SSLContext | bool:
    if ca_file is None:
        return True
    import ssl

    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as exc:
        raise typer.BadParameter(
            f"{ca_file} has no certificates that can be read.", param_hint="--ca-file"
        ) from exc
