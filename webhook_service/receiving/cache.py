"""Routes: from a key to the compiled receiver, compiled once per version."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from webhook_service.errors import NotFound, UnknownKey
from webhook_service.formats.format import Format
from webhook_service.model.delivery import Basis
from webhook_service.model.ids import fingerprint, is_key
from webhook_service.model.receiver import Receiver
from webhook_service.plugins.discovery import Plugins
from webhook_service.plugins.drivers import Drivers
from webhook_service.plugins.schemes import Schemes
from webhook_service.receiving.compiled import Route, compile_route
from webhook_service.store.receivers import ReceiverStore

MAX_ROUTES = 10_000
K = TypeVar("K")
REVOKED = "Requested webhook has been revoked/does not exist for this account"


@dataclass(frozen=True, slots=True)
class Remembered:
    """A route, and what has to be still so for it to be right."""

    route: Route
    basis: Basis


class Routes:
    """Finds and compiles receivers; the newest 10,000 or so stay compiled."""

    def __init__(
        self,
        receivers: ReceiverStore,
        drivers: Drivers,
        formats: Plugins[Format[Any]],
        schemes: Schemes,
    ) -> None:
        self._receivers = receivers
        self._drivers = drivers
        self._formats = formats
        self._schemes = schemes
        self._routes: dict[str, Route] = {}
        self._by_key: dict[tuple[str, str], Route] = {}

    def remembered(self, project: str, key: str) -> Remembered | None:
        """The route that a key led to before; whether it still does is not known."""
        mark = fingerprint(key)
        if (route := self._by_key.get((project, mark))) is None:
            return None
        return Remembered(route, Basis(mark, route.receiver.id, route.receiver.version))

    def find(self, project: str, key: str) -> Route:
        """The route of the receiver that a live key belongs to.

        Raises:
            UnknownKey: no receiver of the project has this key.
        """
        mark = project, fingerprint(key)
        try:
            route = self._look_up(project, key)
        except UnknownKey:
            self._by_key.pop(mark, None)
            raise
        _remember(self._by_key, mark, route)
        return route

    def of(self, receiver: Receiver) -> Route:
        """The route of a stored receiver.

        Raises:
            InvalidConfig, PluginUnavailable: see ``compile_route``.
        """
        route = self._routes.get(receiver.id)
        if route is None or route.receiver.version != receiver.version:
            route = self.compile(receiver)
            _remember(self._routes, receiver.id, route)
        return route

    def compile(self, receiver: Receiver) -> Route:
        """Compile a receiver that need not be stored, to see whether it can work.

        Raises:
            InvalidConfig, PluginUnavailable: see ``compile_route``.
        """
        driver = self._drivers.get(receiver.spec.driver)
        return compile_route(receiver, driver, self._formats, self._schemes)

    def forget(self, receiver_id: str) -> None:
        """Drop a deleted receiver."""
        self._routes.pop(receiver_id, None)
        for mark, route in list(self._by_key.items()):
            if route.receiver.id == receiver_id:
                self._by_key.pop(mark, None)

    def _look_up(self, project: str, key: str) -> Route:
        found = self._receivers.find_by_key(project, key) if is_key(key) else None
        if found is None:
            raise UnknownKey(REVOKED)
        id_, version = found
        route = self._routes.get(id_)
        if route is not None and route.receiver.version == version:
            return route
        try:
            return self.of(self._receivers.get(project, id_))
        except NotFound as exc:
            raise UnknownKey(REVOKED) from exc


def _remember(routes: dict[K, Route], name: K, route: Route) -> None:
    """Keep a route, and forget the oldest one if there are too many."""
    with suppress(StopIteration, RuntimeError):  # another thread is at it as well
        if name not in routes and len(routes) >= MAX_ROUTES:
            routes.pop(next(iter(routes)), None)
    routes[name] = route
