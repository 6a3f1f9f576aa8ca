"""One HTTP exchange with a cluster, bounded in time and size.

The official client reads kubeconfigs, refreshes credentials and does TLS and proxies. Calls go
through its connection pool, because its generated methods read answers without a limit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from webhook_drivers.kubernetes.api.breaker import Breaker
from webhook_drivers.kubernetes.api.config_files import ConfigFiles
from webhook_drivers.kubernetes.api.credential_plugins import Patience
from webhook_drivers.kubernetes.api.resources import Json
from webhook_drivers.kubernetes.watching.change_stream import ChangeStream
from webhook_drivers.kubernetes.watching.watches import Watches
from webhook_service import Retry, fault_of, span

if TYPE_CHECKING:
    from kubernetes.client import ApiClient
    from urllib3 import BaseHTTPResponse

NAME = "webhook-service"
CONNECT_TIMEOUT = 5.0
TIMEOUT = 30.0
MAX_REPLY = 10 * 1024 * 1024
CHUNK = 64 * 1024
NO_FILES = ConfigFiles({})


@dataclass(frozen=True, slots=True)
class ApiReply:
    """What a cluster answered; ``cut`` says that there was more than was asked for."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool = False

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """One request: ``path`` with its query, ``body`` ready to send.

    Args:
        keep: bytes of the answer to keep and leave the rest; without it a longer answer than
            ``MAX_REPLY`` is a fault.
        timeout: seconds in all; without it the transport's.
        behind: whether a workload answers, behind the cluster's API.
    """

    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str]
    keep: int | None = None
    timeout: float | None = None
    behind: bool = False


class Transport:
    """Exchanges with one API server, behind its circuit breaker; used by many threads at once.

    Attributes:
        refused: whether its credentials were refused; a plug-in may have newer ones by now.
        watches: those that go by this connection.
        files: those that it was made from.

    Args:
        patience: for how long to wait for its credential plug-in, if it has one.
    """

    def __init__(
        self,
        api: ApiClient,
        name: str,
        connect_timeout: float = CONNECT_TIMEOUT,
        timeout: float = TIMEOUT,
        files: ConfigFiles = NO_FILES,
        patience: Patience | None = None,
    ) -> None:
        self.name = name
        self.files = files
        self.timeout = timeout
        self.refused = False
        self._api = api
        # As kubectl reads it; a line break at the end would be a part of it.
        self._host = str(api.configuration.host).strip().rstrip("/")
        self._connect_timeout = connect_timeout
        self._patience = patience
        self._breaker = Breaker(name)
        self.watches = Watches(name, self._stream)

    def exchange(self, ask: ApiRequest) -> ApiReply:
        """Ask once.

        Raises:
            Retry: no usable answer came, or the breaker lets nobody ask now.
        """
        asked = {
            "http.request.method": ask.method,
            "url.path": ask.path.partition("?")[0],
            "k8s.cluster.name": self.name,
        }
        with self._guard(ask), span(ask.method, "client", asked) as traced:
            try:
                reply = self._exchange(ask)
                traced.set({"http.response.status_code": reply.status})
            except Retry:
                raise
            except _UnusableReply as error:
                raise Retry(f"The answer of cluster {self.name} is no use: {error}.") from error
            except Exception as error:  # the client, its credential plug-ins, urllib3, sockets
                # Its text may hold the credentials that were sent.
                message = f"The API of cluster {self.name} does not answer ({fault_of(error)})."
                raise Retry(message, code="unreachable") from error
        if reply.status == 401 and not ask.behind:
            self.refused = True
        return reply

    def _guard(self, ask: ApiRequest) -> AbstractContextManager[None]:
        if not ask.behind:
            return self._breaker.call()
        self._breaker.check()
        return nullcontext()

    def object(self, reply: ApiReply) -> Json:
        """The JSON object in an answer.

        Raises:
            Retry: there is none.
        """
        try:
            answer = json.loads(reply.body)
        except (ValueError, RecursionError) as error:
            raise Retry(f"The answer of cluster {self.name} is not JSON.") from error
        if not isinstance(answer, dict):
            raise Retry(f"The answer of cluster {self.name} is not an object.")
        return answer

    def close(self) -> None:
        self.watches.close()
        close: Callable[[], None] = self._api.close
        close()

    def _exchange(self, ask: ApiRequest) -> ApiReply:
        from urllib3 import Timeout

        timeout = ask.timeout or self.timeout
        deadline = monotonic() + timeout
        response = self._api.rest_client.pool_manager.urlopen(
            ask.method,
            self._host + ask.path,
            body=ask.body,
            headers={**ask.headers, **self._credentials()},
            timeout=Timeout(connect=min(self._connect_timeout, timeout), total=timeout),
            # Retries are the engine's; a redirect would carry our token to another host.
            retries=False,
            redirect=False,
            preload_content=False,
        )
        try:
            body, left = _read(response, deadline, ask.keep)
            if left:
                response.close()
            return ApiReply(response.status, response.headers, body, left)
        except BaseException:
            response.close()
            raise
        finally:
            response.release_conn()

    def _stream(self, path: str, headers: Mapping[str, str], silence: float) -> ChangeStream:
        """Begin an answer without an end; it does not count as a call that hangs."""
        from urllib3 import Timeout

        response = self._api.rest_client.pool_manager.urlopen(
            "GET",
            self._host + path,
            headers={**headers, **self._credentials()},
            timeout=Timeout(connect=self._connect_timeout, read=silence),
            retries=False,
            redirect=False,
            preload_content=False,
        )
        return ChangeStream(response)

    def _credentials(self) -> dict[str, str]:
        """The headers that prove who we are; this renews expired credentials."""
        return self._patience.call(self._renewed) if self._patience else self._renewed()

    def _renewed(self) -> dict[str, str]:
        return {
            # Trimmed as kubectl does: files end with a line break, which no header may hold.
            str(setting["key"]): " ".join(str(setting["value"]).split())
            for setting in self._api.configuration.auth_settings().values()
            if setting.get("in") == "header" and setting.get("value")
        }


class _UnusableReply(Exception):
    pass


def _read(response: BaseHTTPResponse, deadline: float, keep: int | None) -> tuple[bytes, bool]:
    """Read an answer, no longer than the deadline; whether there is more than ``keep``."""
    data = bytearray()
    while chunk := response.read1(CHUNK, decode_content=False):
        data += chunk
        if keep is not None and len(data) > keep:
            return bytes(data[:keep]), True
        if len(data) > MAX_REPLY:
            raise _UnusableReply(f"it is larger than {MAX_REPLY} bytes")
        if monotonic() > deadline:
            raise _UnusableReply("it came too slowly")
    return bytes(data), False
