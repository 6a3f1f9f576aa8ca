"""Every error this service raises, in one tree.

    WebhookServiceError
    ├── InvalidRequest            400   the caller must change the request
    │   ├── InvalidPayload        400   a body that is not the receiver's format
    │   ├── InvalidConfig         400   a receiver or driver config that cannot work
    │   ├── ListTooLong           400   a list that would take too long with these filters
    │   └── UnknownField          422   a field that no receiver has
    ├── Unauthenticated           401   no credentials, or wrong ones
    ├── UnknownKey                403   an endpoint key that is unknown, revoked or malformed
    ├── RoleNotAllowed            405   the caller's role may not do this (405 as in v1.6)
    ├── NotFound                  404
    ├── WrongMethod               405   a call of a right URL of the endpoint that is no POST
    ├── ChangedMeanwhile          409   somebody else changed it first: read it again
    ├── OutdatedVersion           412   If-Match names a version that is no longer the newest
    ├── RequestTimedOut           408   the body did not arrive in time
    ├── BodyTooLarge              413
    ├── UnsupportedBody           415   a compressed body
    ├── Unavailable               503   nothing was stored: send it again
    │   ├── TooManyRequests       429   calls come too fast
    │   ├── LimitReached          429   a receiver or project has as much as it may have
    │   ├── TooManyBodies         503   large bodies fill the memory set aside for them
    │   ├── StoreUnavailable      503   the database does not take the write
    │   └── IssuerUnavailable     503   whoever vouches for the sender does not answer
    ├── PluginUnavailable         400   a plug-in that is missing, broken or ambiguous
    ├── SettingsError             500   a setting that cannot be used
    └── DriverError                     an execution ends as failed
        ├── TargetConflict              the live object is not what the push may change
        ├── Superseded                  a newer push has already been applied
        └── Retry                       transient: the engine tries again after a pause

Each class carries its HTTP status and a code for programs. Messages say what to do; they
never hold keys, secrets or bodies.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Change:
    """One field that was (or would be) changed, as history and rollback show it.

    Outcomes of drivers carry it, and so do the errors by which drivers give up.
    """

    target: str
    field: str
    before: str | None
    after: str | None


def first_line(exc: BaseException) -> str:
    """What a database or broker itself said: no SQL, no parameters, and no more than a line."""
    said = getattr(exc, "orig", None) or exc
    return next(iter(str(said).strip().splitlines()), type(said).__name__)[:300]


def with_cause(exc: WebhookServiceError) -> str:
    """An error's message for operators: with what the database or broker itself said.

    Callers over HTTP get the message alone.
    """
    cause = exc.__cause__
    said = getattr(cause, "orig", None) if cause else None
    if isinstance(exc, InvalidConfig | ChangedMeanwhile):  # such an error says it all by itself
        return exc.message
    return exc.message if said is None else f"{exc.message} ({first_line(said)})"


class WebhookServiceError(Exception):
    """Base of all errors raised on purpose."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        # The id of the receiver that was called, once that is known: for the log, not for senders.
        self.receiver: str | None = None


class InvalidRequest(WebhookServiceError):
    """The caller must change the request before sending it again."""

    status = 400
    code = "invalid_request"


class InvalidPayload(InvalidRequest):
    """The body cannot be read, or is not what the receiver's format sends.

    Attributes:
        driver: that of the receiver which was called, once it is known.
    """

    code = "invalid_payload"

    def __init__(self, message: str, driver: str | None = None) -> None:
        super().__init__(message)
        self.driver = driver


class InvalidConfig(InvalidRequest):
    """A receiver, or its driver's config, that cannot work."""

    code = "invalid_config"


class ListTooLong(InvalidRequest):
    """A list that cannot be read in good time: other filters leave less to read."""

    code = "list_too_long"


class UnknownField(InvalidRequest):
    """A field that no receiver has, often a misspelled one."""

    status = 422
    code = "unknown_field"


class Unauthenticated(WebhookServiceError):
    """No credentials were given, or they are not valid."""

    status = 401
    code = "unauthenticated"


class UnknownLink(Unauthenticated):
    """A link to vote that this service did not make, or no longer stands by."""

    code = "unknown_link"


class UnknownKey(WebhookServiceError):
    """The endpoint key is unknown, revoked or malformed: the three answer alike."""

    status = 403
    code = "unknown_key"


class RoleNotAllowed(WebhookServiceError):
    """The caller is known, but the role may not do this; v1.6 answers 405 here."""

    status = 405
    code = "role_not_allowed"


class NotFound(WebhookServiceError):
    """No such object in the caller's project; ids of other projects answer the same."""

    status = 404
    code = "not_found"


class WrongMethod(WebhookServiceError):
    """A receiver's or an inbox's URL was called with another method than POST."""

    status = 405
    code = "wrong_method"


class ChangedMeanwhile(WebhookServiceError):
    """Somebody else changed the object while this change was made; nothing was changed by it."""

    status = 409
    code = "changed_meanwhile"


class OutdatedVersion(ChangedMeanwhile):
    """The version that the caller's change is made for is no longer the newest one."""

    status = 412
    code = "outdated_version"


class RequestTimedOut(WebhookServiceError):
    """The request body did not arrive in time."""

    status = 408
    code = "request_timeout"


class BodyTooLarge(WebhookServiceError):
    """The request body is over the limit."""

    status = 413
    code = "body_too_large"


class UnsupportedBody(WebhookServiceError):
    """The request body is compressed: nothing is ever decompressed before authentication."""

    status = 415
    code = "unsupported_body"


class Unavailable(WebhookServiceError):
    """Nothing was accepted for now; the same call may pass later.

    Attributes:
        retry_after: seconds after which sending again makes sense.
    """

    status = 503
    code = "unavailable"

    def __init__(self, message: str, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TooManyRequests(Unavailable):
    """An address or a receiver is called too often; the call was not even looked at."""

    status = 429
    code = "too_many_requests"


class LimitReached(Unavailable):
    """A receiver or a project has as much as it may have; the message says of what."""

    status = 429
    code = "limit_reached"


class TooManyBodies(Unavailable):
    """Large bodies of other calls are still arriving; this one was not read to its end."""

    code = "too_many_bodies"


class StoreUnavailable(Unavailable):
    """The database did not take the write, so nothing was accepted."""

    code = "store_unavailable"


class IssuerUnavailable(Unavailable):
    """Whoever vouches for the sender does not answer: the call is neither genuine nor false."""

    code = "issuer_unavailable"


class PluginUnavailable(WebhookServiceError):
    """A driver, format or scheme is not installed, failed to load, or exists twice."""

    status = 400
    code = "plugin_unavailable"


class SettingsError(WebhookServiceError):
    """A setting is missing or cannot be used; the message names it."""

    code = "settings_error"


class DriverError(WebhookServiceError):
    """A driver gives up for good: the execution ends as failed.

    Args:
        message: one sentence that says what is wrong and what to do.
        code: machine-readable reason, kept on the execution; defaults to the class's. With
            ``rolled_back`` the driver says that all its changes are undone; with any other they
            count as what runs now.
        changes: what the driver had changed before it gave up.
    """

    status = 502
    code = "driver_failed"

    def __init__(
        self, message: str, *, code: str | None = None, changes: Sequence[Change] = ()
    ) -> None:
        super().__init__(message)
        self.reason = code or type(self).code
        self.changes = tuple(changes)


class TargetConflict(DriverError):
    """The live object is not what this push may change; nothing was overwritten."""

    status = 409
    code = "conflict"


class Superseded(DriverError):
    """The target already runs a newer push; the execution ends as superseded."""

    code = "superseded"


class Retry(DriverError):
    """A transient fault: the engine runs the execution again after its backoff.

    Args:
        after: seconds to wait at least, for servers that said so (``Retry-After``); a day at most.
    """

    code = "transient"

    def __init__(self, message: str, *, code: str | None = None, after: float = 0.0) -> None:
        super().__init__(message, code=code)
        self.after = after


class OutboundError(WebhookServiceError):
    """A call that got no reply; the message never holds headers, queries or bodies.

    Args:
        transient: whether the same call may work later.
    """

    status = 502
    code = "outbound_failed"

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


def fault_of(exc: BaseException) -> str:
    """What a library's exception means, without its text, which may hold secrets.

    That is its class, and the reason that the operating system or TLS gives, if one is behind it.
    """
    name, seen = type(exc).__name__, set[int]()
    cause: BaseException | None = exc
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if reason := _reason(cause):
            return f"{name}: {reason}"
        cause = cause.__cause__ or cause.__context__ or _argument(cause)
    return name


# OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH, _EMAIL_MISMATCH and _IP_ADDRESS_MISMATCH; its text quotes.
_OTHER_NAME = (62, 63, 64)


def _reason(exc: BaseException) -> str:
    import socket  # these two take time, and a command that works does not need them
    import ssl

    if isinstance(exc, ssl.SSLCertVerificationError) and exc.verify_code in _OTHER_NAME:
        return "the certificate is for another name"
    if isinstance(exc, ssl.SSLError):
        said = str(getattr(exc, "verify_message", "") or getattr(exc, "reason", ""))
        return said if said.replace("_", "").replace(" ", "").replace("-", "").isalnum() else ""
    if isinstance(exc, socket.gaierror):
        return "the name is not known"
    if isinstance(exc, OSError) and exc.errno is not None and exc.errno in errno.errorcode:
        return os.strerror(exc.errno)
    return ""


def _argument(exc: BaseException) -> BaseException | None:
    """What is wrapped without being the cause, as urllib3 and requests do."""
    return next((each for each in exc.args if isinstance(each, BaseException)), None)
