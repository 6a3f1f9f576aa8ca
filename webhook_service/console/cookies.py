"""The cookies of a session and of a login: no script can read them."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.responses import Response

from webhook_service.model.people.sessions import SESSION_LIFETIME

NAME, LOGIN = "webhook-service-console", "webhook-service-console-login"
LOGIN_SECONDS = 600


def secret_in(connection: HTTPConnection, secure: bool) -> str:
    """The session's secret that a browser sent; empty without one."""
    return connection.cookies.get(_name(secure), "")


def give(response: Response, secret: str, secure: bool) -> None:
    """Let the browser keep the secret of a new session, in place of an old one."""
    response.set_cookie(
        _name(secure),
        secret,
        max_age=int(SESSION_LIFETIME.total_seconds()),
        secure=secure,
        httponly=True,
        samesite="strict",
    )


def take_back(response: Response, secure: bool) -> None:
    """Let the browser forget it."""
    response.delete_cookie(_name(secure), secure=secure, httponly=True, samesite="strict")


def attempt_in(connection: HTTPConnection, secure: bool) -> str:
    """The login that a browser has begun at an identity provider; empty without one."""
    return connection.cookies.get(_name(secure, LOGIN), "")


def begin(response: Response, attempt: str, secure: bool) -> None:
    """Let the browser keep a login that has begun; it comes back with it from the provider.

    A link of another site brings it, as the provider's redirect is one: SameSite=Lax.
    """
    response.set_cookie(
        _name(secure, LOGIN),
        attempt,
        max_age=LOGIN_SECONDS,
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def end(response: Response, secure: bool) -> None:
    """Let the browser forget a login that it has begun."""
    response.delete_cookie(_name(secure, LOGIN), secure=secure, httponly=True, samesite="lax")


def _name(secure: bool, name: str = NAME) -> str:
    """With the prefix no other host of the domain can set it: RFC 6265bis, section 4.1.3.2."""
    return f"__Host-{name}" if secure else name
