"""Answering a registry's challenge: Basic, or a bearer token from the server that it names.

Sources: distribution documentation, "Token Authentication Specification" and "OAuth2 Token
Authentication".
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from webhook_service.errors import InvalidPayload
from webhook_service.formats.reading.strict_json import read_json
from webhook_service.images import Image
from webhook_service.net.outbound import OutboundReply
from webhook_service.registry.challenge import Challenge, read_challenges
from webhook_service.registry.credentials import Login
from webhook_service.registry.faults import (
    REGISTRY_DENIED,
    REGISTRY_FAILED,
    from_status,
    refusal,
)

DEFAULT_SECONDS, MAX_SECONDS = 60, 3600
# A token is not used in its last seconds: it could run out on the way.
MARGIN = 10
MAX_TOKEN = 16 * 1024
MAX_CACHED = 1024
CLIENT_ID = "webhook-service"
_TOKEN = re.compile(r"[!-~]+")

Send = Callable[..., OutboundReply]
Key = tuple[str, Login | None]


class Tokens:
    """Answers that have worked, kept for as long as they are good.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[Key, tuple[str, float]] = {}

    def known(self, image: Image, login: Login | None) -> str | None:
        """The header ``Authorization`` that worked last time, if it still should."""
        with self._lock:
            value, ends = self._kept.get((image.name, login), ("", 0.0))
        return value if value and self._clock() < ends else None

    def answer(
        self, image: Image, login: Login | None, header: str, send: Send, plain: bool
    ) -> str | None:
        """The header ``Authorization`` for a challenge; None if only a login could answer it.

        Args:
            header: the registry's ``WWW-Authenticate``.
            send: calls another server (method, URL, headers, body).
            plain: whether the registry itself is called without TLS.

        Raises:
            DriverError: the challenge cannot be answered, or the token server says no.
            Retry: the token server fails for now.
        """
        offers = {each.scheme: each for each in reversed(read_challenges(header))}
        if "bearer" in offers:
            realm = _realm(offers["bearer"], image, plain)
            value, seconds = _fetch(realm, offers["bearer"], image, login, send)
        elif "basic" in offers and login and login.password:
            value, seconds = login.basic, MAX_SECONDS
        elif "basic" in offers:
            return None
        else:
            raise refusal(
                REGISTRY_FAILED, f"{image.registry} asks for neither Basic nor a bearer token."
            )
        self._keep((image.name, login), value, self._clock() + seconds - MARGIN)
        return value

    def _keep(self, key: Key, value: str, ends: float) -> None:
        with self._lock:
            self._kept.pop(key, None)
            if len(self._kept) >= MAX_CACHED:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = value, ends


def _realm(challenge: Challenge, image: Image, plain: bool) -> str:
    """The token server gets the login, so it is called over TLS, save on the registry's own host
    where the operator has given TLS up."""
    realm = challenge.parameters.get("realm", "")
    try:
        parts = urlsplit(realm)
        same_host = parts.hostname == urlsplit(f"//{image.registry}").hostname
    except ValueError:
        parts, same_host = urlsplit(""), False
    if parts.scheme == "https" or (parts.scheme == "http" and plain and same_host):
        return realm
    raise refusal(
        REGISTRY_FAILED, f"{image.registry} names a token server that is not at an https:// URL."
    )


def _fetch(
    realm: str, challenge: Challenge, image: Image, login: Login | None, send: Send
) -> tuple[str, int]:
    # The scope is ours: a registry cannot have a token made for more than this pull.
    asked = {"scope": f"repository:{image.repository}:pull"}
    if service := challenge.parameters.get("service"):
        asked["service"] = service
    if login and login.refresh_token:
        form = {
            **asked,
            "grant_type": "refresh_token",
            "client_id": CLIENT_ID,
            "refresh_token": login.refresh_token,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        reply = send("POST", realm, headers, urlencode(form).encode())
    else:
        headers = {"Authorization": login.basic} if login else {}
        reply = send("GET", _with_query(realm, asked), headers, b"")
    return _read(reply, urlsplit(realm).hostname or "", image)


def _with_query(url: str, values: dict[str, str]) -> str:
    parts = urlsplit(url)
    query = [*parse_qsl(parts.query), *values.items()]
    return urlunsplit(parts._replace(query=urlencode(query), fragment=""))


def _read(reply: OutboundReply, host: str, image: Image) -> tuple[str, int]:
    if reply.status in (400, 401, 403, 404):
        raise refusal(
            REGISTRY_DENIED,
            f"{host} gives no token for {image.name}: check the login for {image.registry} in "
            "the Docker config.",
        )
    if reply.status != 200:
        raise from_status(host, reply)
    try:
        values = read_json(reply.body)
    except InvalidPayload:
        values = None
    token = _token(values)
    if token is None:
        raise refusal(REGISTRY_FAILED, f"{host} answered without a token; is it a token server?")
    return f"Bearer {token}", _seconds(values.get("expires_in"))


def _token(values: Any) -> str | None:
    if not isinstance(values, dict):
        return None
    token = values.get("token") or values.get("access_token")
    if not isinstance(token, str) or len(token) > MAX_TOKEN:
        return None
    return token if _TOKEN.fullmatch(token) else None


def _seconds(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        return DEFAULT_SECONDS
    return min(value, MAX_SECONDS)
