"""Who to be at a registry: Docker's ``config.json``, which is also a Kubernetes pull secret.

Sources: docker/cli, ``cli/config/types/authconfig.go``; Kubernetes documentation, "Pull an Image
from a Private Registry" (``kubernetes.io/dockerconfigjson`` holds the same JSON); keys with a
path are those of containers-auth.json(5). Credential helpers (``credHelpers``, ``credsStore``)
are programs that the file names: they are never run.
"""

from __future__ import annotations

import base64
import binascii
import logging
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from webhook_service.errors import InvalidPayload, SettingsError
from webhook_service.formats.reading.strict_json import read_json
from webhook_service.images import Image, normalise_registry

MAX_CONFIG = 1024 * 1024
_TOKEN_USER = "<token>"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Login:
    """A user's name and password; or a refresh token, which is sent to a token server only."""

    username: str
    password: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The value of the header ``Authorization``."""
        pair = f"{self.username}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode('ascii')}"


class Logins(Protocol):
    """Where the client takes its credentials from."""

    def find(self, image: Image) -> Login | None:
        """The login for an image's repository; the most specific entry wins."""

    def helped(self, image: Image) -> bool:
        """Whether the file leaves this registry to a helper that is not run."""


class DockerConfig:
    """The content of one ``config.json``.

    Args:
        logins: by host, or by host and the first part of a repository's path.
        helpers: hosts that a credential helper is named for; ``*`` is all others.
    """

    def __init__(
        self, logins: Mapping[str, Login] | None = None, helpers: Collection[str] = ()
    ) -> None:
        self._logins = logins or {}
        self._helpers = helpers

    @classmethod
    def parse(cls, text: bytes) -> DockerConfig:
        """Read the JSON.

        Raises:
            SettingsError: it is not such a file; the message never quotes it.
        """
        try:
            config = read_json(text)
        except InvalidPayload as exc:
            raise SettingsError(f"The Docker config cannot be read. {exc.message}") from None
        if not isinstance(config, dict):
            raise SettingsError("The Docker config must be a JSON object.")
        entries = _object(config, "auths")
        logins = {_key(name): _login(name, entry) for name, entry in entries.items()}
        helpers = {_key(name) for name in _object(config, "credHelpers")}
        if config.get("credsStore"):
            helpers.add("*")
        return cls({name: login for name, login in logins.items() if login}, helpers)

    def find(self, image: Image) -> Login | None:
        """The login for an image's repository; the most specific entry wins."""
        name = image.name
        while name and name not in self._logins:
            name = name.rpartition("/")[0]
        return self._logins.get(name)

    def helped(self, image: Image) -> bool:
        """Whether the file leaves this registry to a helper that is not run."""
        return image.registry in self._helpers or "*" in self._helpers


class DockerConfigFile:
    """A ``config.json`` that is read again when it changes, as mounted secrets do.

    Raises:
        SettingsError: at the start, if it cannot be read. Later the last good content stays.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stamp = self._look()
        self._config = self._read()

    def find(self, image: Image) -> Login | None:
        return self._fresh().find(image)

    def helped(self, image: Image) -> bool:
        return self._fresh().helped(image)

    def _fresh(self) -> DockerConfig:
        with self._lock:
            try:
                stamp = self._look()
                if stamp != self._stamp:
                    self._config, self._stamp = self._read(), stamp
            except SettingsError as exc:
                log.warning("The last good Docker config stays in use: %s", exc.message)
            return self._config

    def _look(self) -> tuple[int, int, int]:
        try:
            found = self._path.stat()
        except OSError as exc:
            raise SettingsError(f"{self._path} cannot be read: {exc.strerror}.") from exc
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _read(self) -> DockerConfig:
        try:
            with self._path.open("rb") as file:
                text = file.read(MAX_CONFIG + 1)
        except OSError as exc:
            raise SettingsError(f"{self._path} cannot be read: {exc.strerror}.") from exc
        if len(text) > MAX_CONFIG:
            raise SettingsError(f"{self._path} is larger than {MAX_CONFIG} bytes.")
        return DockerConfig.parse(text)


def _object(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = config.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise SettingsError(f"`{key}` of the Docker config must be an object.")
    return value


def _key(name: str) -> str:
    """``https://index.docker.io/v1/`` is ``docker.io``; other keys are hosts, some with a path."""
    host, _, path = name.partition("://")[2].partition("/") if "://" in name else _split(name)
    path = path.strip("/")
    registry = normalise_registry(host)
    return registry if path in ("", "v1", "v2") else f"{registry}/{path}"


def _split(name: str) -> tuple[str, str, str]:
    return name.partition("/")


def _login(name: str, entry: object) -> Login | None:
    if not isinstance(entry, dict):
        raise SettingsError(f"The Docker config's entry for {_key(name)} must be an object.")
    texts = {key: value for key, value in entry.items() if isinstance(value, str)}
    username, password = texts.get("username", ""), texts.get("password", "")
    if texts.get("auth"):
        username, password = _decode(name, texts["auth"])
    refresh_token = texts.get("identitytoken", "")
    if username == _TOKEN_USER:
        refresh_token, password = refresh_token or password, ""
    return Login(username, password, refresh_token) if username or refresh_token else None


def _decode(name: str, auth: str) -> tuple[str, str]:
    try:
        username, colon, password = base64.b64decode(auth, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        colon = ""
    if not colon:
        raise SettingsError(
            f"The Docker config's `auth` for {_key(name)} is not user:password in Base64."
        )
    # Docker's own writer has padded passwords with NUL bytes.
    return username, password.rstrip("\0")
