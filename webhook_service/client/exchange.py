"""One exchange with the service: what is sent, when it is sent again, and what an answer means.

Both clients share it; only the waiting differs.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import SystemRandom
from typing import Any, TypeVar
from urllib.parse import parse_qs, quote, urlsplit

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from webhook_service.client.errors import Rejected, Unreachable, UnreadableAnswer
from webhook_service.errors import InvalidRequest, fault_of
from webhook_service.resources import CollectionResource, RequestModel

PREFIX = "/v1-webhooks"
CONNECT_SECONDS = 10.0
MAX_PAUSE = 30.0
MAX_CAUSES = 10
T = TypeVar("T", bound=BaseModel)
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_NOT_STORED = (429, 503)
_PERHAPS = (502, 504)


@dataclass(frozen=True, slots=True)
class Sent:
    """A request.

    Attributes:
        repeatable: whether it may be sent twice: it changes nothing, or the same again.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = False


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a request is sent again, and how long to wait before.

    A request that may have been carried out is sent again only if that does no harm.

    Attributes:
        most: tries in all.
        first: seconds before the second one; each later pause is up to twice as long.
    """

    most: int = 4
    first: float = 0.5

    def after_answer(self, sent: Sent, answer: httpx.Response, tries: int) -> float | None:
        """Seconds to wait before the next try; None if the answer counts."""
        stored_nothing = answer.status_code in _NOT_STORED
        lost = answer.status_code in _PERHAPS and sent.repeatable
        if tries >= self.most or not (stored_nothing or lost):
            return None
        asked = answer.headers.get("retry-after", "")
        if asked.isascii() and asked.isdigit():
            return min(float(asked[:6]), MAX_PAUSE)
        return self._pause(tries)

    def after_fault(self, sent: Sent, fault: httpx.TransportError, tries: int) -> float | None:
        """Seconds to wait before the next try; None if there is none."""
        if tries >= self.most or not (sent.repeatable or isinstance(fault, _NOT_SENT)):
            return None
        if isinstance(_tls_fault(fault), ssl.SSLCertVerificationError):
            return None  # the next try would meet the same certificate
        return self._pause(tries)

    def _pause(self, tries: int) -> float:
        return SystemRandom().uniform(0, min(self.first * 2 ** (tries - 1), MAX_PAUSE))


def unreachable(where: str, fault: httpx.TransportError, tries: int) -> Unreachable:
    """Why a service did not answer, and what to look at."""
    tls = _tls_fault(fault)
    if isinstance(tls, ssl.SSLCertVerificationError):
        advice = (
            "its certificate is not trusted. Check the address, or name the certificates to trust "
            "('--ca-file' of the command line, 'verify' of the client)."
        )
    elif tls is not None and not isinstance(tls, ssl.SSLEOFError):
        advice = "check the address: it may speak http:// and not https:// there."
    else:
        advice = "check the address, and that the service runs."
    often = f", {tries} tries" if tries > 1 else ""
    return Unreachable(f"{where} does not answer ({fault_of(fault)}{often}): {advice}")


def _tls_fault(fault: BaseException) -> ssl.SSLError | None:
    """What TLS says against a connection, if that is behind a fault."""
    cause: BaseException | None = fault
    for _ in range(MAX_CAUSES):
        if cause is None or isinstance(cause, ssl.SSLError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None


def path_to(*parts: str) -> str:
    """A path below ``/v1-webhooks``; ids are quoted.

    Raises:
        InvalidRequest: a part is empty, or is one that means another path.
    """
    if wrong := [part for part in parts if part in ("", ".", "..")]:
        raise InvalidRequest(f"{wrong[0]!r} is no id.")
    return "/".join([PREFIX, *(quote(part, safe="") for part in parts)])


def written(body: RequestModel) -> dict[str, Any]:
    """A request body with the fields that were given."""
    return body.model_dump(mode="json", by_alias=True, exclude_unset=True)


def read(answer: httpx.Response, model: type[T]) -> T:
    """What the service answered.

    Raises:
        Rejected: it refused the request.
        UnreadableAnswer: it is no such answer; another release, or another server.
    """
    require_success(answer)
    try:
        return TypeAdapter(model).validate_json(answer.content)
    except ValidationError as exc:
        where = ".".join(map(str, exc.errors(include_url=False)[0]["loc"]))
        raise UnreadableAnswer(
            f"The answer of {_origin(answer)} is not that of this release (see {where or 'it'}): "
            "use the client of the service's version, and check the address."
        ) from exc


def require_success(answer: httpx.Response) -> None:
    """
    Raises:
        Rejected: the service refused the request.
    """
    if answer.is_success:
        return
    try:
        told = answer.json()
        code, message = str(told["code"]), str(told["message"])
    except (ValueError, KeyError, TypeError):
        code = "unknown"
        # The service always says why: this is a proxy, or the address of something else.
        message = (
            f"{_origin(answer)} answered {answer.status_code} without saying why: "
            "check the address, and any proxy before the service."
        )
    raise Rejected(answer.status_code, code, message)


def marker_of(page: CollectionResource[Any]) -> str | None:
    """Where the next page begins. The rest of its URL is left: a proxy may know another one."""
    if page.next is None:
        return None
    return parse_qs(urlsplit(page.next).query).get("marker", [None])[0]


def _origin(answer: httpx.Response) -> str:
    url = answer.request.url
    return f"{url.scheme}://{url.netloc.decode('ascii')}"
