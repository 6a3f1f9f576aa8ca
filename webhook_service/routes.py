"""Routes: from a key to the compiled receiver, compiled once per version."""

from __future__ import annotations

from typing import Any

from webhook_service.discovery import Plugins
from webhook_service.drivers import Drivers
from webhook_service.errors import NotFound, UnknownKey
from webhook_service.ids import is_key
from webhook_service.payloads.format import Format
from webhook_service.receiver import Receiver
from webhook_service.route import Route, compile_route
from webhook_service.store.receivers import ReceiverStore
from webhook_service.verify.schemes import Schemes

MAX_ROUTES = 10_000
REVOKED = "Requested webhook has been revoked/does not exist for this account"


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

    def find(self, project: str, key: str) -> Route:
        """The route of the receiver that a live key belongs to.

        Raises:
            UnknownKey: no receiver of the project has this key.
        """
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

    def of(self, receiver: Receiver) -> Route:
        """The route of a stored receiver.

        Raises:
            InvalidConfig, PluginUnavailable: see ``compile_route``.
        """
        route = self._routes.get(receiver.id)
        if route is None or route.receiver.version != receiver.version:
            route = self.compile(receiver)
            self._remember(route)
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

    def _remember(self, route: Route) -> None:
        if len(self._routes) >= MAX_ROUTES:
            self._routes.clear()
        self._routes[route.receiver.id] = route
