"""What the APIs of forges have in common: calls with a token, and what their refusals mean."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from webhook_drivers.git.repository import Moved, NewCommit, NotReady
from webhook_service import DriverError, OutboundError, OutboundReply

if TYPE_CHECKING:
    from webhook_service import Outbound

MAX_SAID = 300
REFUSED = (400, 405, 406, 409, 412, 422)
"""With one of these, forges tell that somebody else was faster; and that a call is wrong."""


@dataclass(frozen=True, slots=True)
class ForgeApi:
    """One API.

    Args:
        headers: gives those of each call, with the token.
    """

    http: Outbound
    base: str
    headers: Callable[[], Mapping[str, str]]

    def ask(
        self,
        method: str,
        path: str,
        json: object = None,
        query: Mapping[str, object] | None = None,
        *,
        body: bytes = b"",
        content_type: str = "",
    ) -> OutboundReply:
        """The reply, whatever it says."""
        said = f"?{urlencode(query)}" if query else ""
        headers = {"accept": "application/json", **self.headers()}
        if content_type:
            headers["content-type"] = content_type
        return self.http.request(method, f"{self.base}{path}{said}", headers, body, json=json)

    def get(self, path: str, query: Mapping[str, object] | None = None) -> Any:
        return require(self.ask("GET", path, query=query)).json()

    def find(self, path: str, query: Mapping[str, object] | None = None) -> Any:
        """None where there is no such thing."""
        reply = self.ask("GET", path, query=query)
        return None if reply.status == 404 else require(reply).json()


def require(reply: OutboundReply) -> OutboundReply:
    """
    Raises:
        Retry, DriverError: the forge refuses; the message has what it says and what to do.
    """
    try:
        return reply.require_ok()
    except DriverError as error:
        error.message = f"{error.message}{_said(reply)}{_advice(reply.status)}"
        raise


def written(reply: OutboundReply, new: NewCommit, moved: Callable[[], bool]) -> OutboundReply:
    """
    Args:
        moved: looks whether the branch or the file is another one by now.

    Raises:
        Moved: it is, so this refusal tells that somebody else was faster.
    """
    if reply.status in REFUSED and moved():
        raise Moved(f"{new.path} on {new.branch} was changed by others meanwhile.")
    return require(reply)


def require_merge(reply: OutboundReply) -> None:
    """
    Raises:
        NotReady: the host says that it cannot merge the request now.
    """
    try:
        require(reply)
    except DriverError as error:
        if reply.status in REFUSED:
            raise NotReady(error.message) from None
        raise


def part(text: str) -> str:
    """A text as one part of a path."""
    return quote(text, safe="")


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def decoded(text: str) -> bytes:
    return base64.b64decode(text)


def _said(reply: OutboundReply) -> str:
    try:
        found = reply.json()
    except OutboundError:
        return ""  # no JSON: a proxy's page
    said = found.get("message") or found.get("error") if isinstance(found, dict) else None
    if isinstance(said, dict):
        said = said.get("message")
    return f" It says: {str(said)[:MAX_SAID].rstrip('.')}." if said else ""


def _advice(status: int) -> str:
    if status in (401, 403):
        return " Give the receiver a token that may write this repository and its pull requests."
    if status == 404:
        return " Correct the repository, or give the receiver a token that may see it."
    return ""
