"""Routes: every path is served with and without a slash at the end, with no redirect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Handler = Callable[[Request], Awaitable[Response]]


def both_forms(path: str, handler: Handler, *methods: str) -> list[Route]:
    """A path's two routes for some methods."""
    return [Route(form, handler, methods=methods) for form in (path, f"{path}/")]


def by_method(path: str, **handlers: Handler) -> list[Route]:
    """A path's routes, one handler per method: ``GET=…, POST=…``."""
    return [
        route for method, handler in handlers.items() for route in both_forms(path, handler, method)
    ]
