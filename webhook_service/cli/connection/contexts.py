"""Contexts: the services that this person works with, each by a name.

They stand in one file that only this person can read, because it holds API tokens.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from webhook_service.errors import InvalidRequest, SettingsError

LOCAL = "local"
"""The name for the local database; no context has it."""
_PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class Remote:
    """How to reach a service.

    Attributes:
        project: the one to act in; the token's own if left out.
        ca_file: certificates to trust instead of the system's.
    """

    server: str
    token: str | None = None
    project: str | None = None
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class Contexts:
    """The known services, and the one that is used when no option names another."""

    remotes: dict[str, Remote] = field(default_factory=dict)
    current: str | None = None

    def get(self, name: str) -> Remote | None:
        """A service; None is the local database.

        Raises:
            InvalidRequest: there is no such context.
        """
        if name == LOCAL:
            return None
        if name not in self.remotes:
            known = ", ".join([*self.remotes, LOCAL])
            raise InvalidRequest(f"There is no context {name[:100]!r}; there are: {known}.")
        return self.remotes[name]

    def added(self, name: str, remote: Remote) -> Contexts:
        """With one more, which is used from now on."""
        if name == LOCAL or not name.isprintable() or not name.strip() or len(name) > 100:
            raise InvalidRequest(
                f"A context's name is printable, of at most 100 characters, and not {LOCAL!r}."
            )
        return Contexts({**self.remotes, name: remote}, name)

    def using(self, name: str) -> Contexts:
        """With another one that is used."""
        return replace(self, current=None if self.get(name) is None else name)

    def without(self, name: str) -> Contexts:
        """With one less."""
        if self.get(name) is None:
            raise InvalidRequest(f"{LOCAL!r} is no context: it stands for the local database.")
        left = {known: remote for known, remote in self.remotes.items() if known != name}
        return Contexts(left, None if self.current == name else self.current)


def contexts_file() -> Path:
    """Where they are kept."""
    import platformdirs

    return platformdirs.user_config_path("webhook-service") / "contexts.json"


def load_contexts() -> Contexts:
    """Read the file; without one there are none.

    Raises:
        SettingsError: the file cannot be read.
    """
    path = contexts_file()
    try:
        said: dict[str, Any] = json.loads(path.read_text())
        remotes = {name: Remote(**fields) for name, fields in said["contexts"].items()}
        return Contexts(remotes, said["current"])
    except FileNotFoundError:
        return Contexts()
    except OSError as exc:
        raise SettingsError(f"{path} cannot be read: {exc.strerror}.") from exc
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise SettingsError(
            f"{path} is no file of contexts: remove it, and add them again with "
            "'webhook-service context add'."
        ) from exc


def save_contexts(contexts: Contexts) -> None:
    """Write the file as a whole; nobody else can read it, at no moment."""
    path = contexts_file()
    remotes = {name: asdict(remote) for name, remote in contexts.remotes.items()}
    text = json.dumps({"current": contexts.current, "contexts": remotes}, indent=2)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "w") as file:
            file.write(text + "\n")
        new.replace(path)
    except OSError as exc:
        new.unlink(missing_ok=True)
        raise SettingsError(f"{path} cannot be written: {exc.strerror}.") from exc
