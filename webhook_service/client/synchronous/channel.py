"""Requests to the service and their answers, whatever they are about.

Made from ``asynchronous``: change that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ssl import SSLContext
from time import sleep
from typing import Any, Self, TypeVar

import httpx

from webhook_service.client.exchange import (
    CONNECT_SECONDS,
    Retries,
    Sent,
    marker_of,
    path_to,
    read,
    require_success,
    unreachable,
)
from webhook_service.resources import ApiModel, CollectionResource

M = TypeVar("M", bound=ApiModel)


class Channel:
    """The way to one service. For the arguments see ``Client``."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        project: str | None = None,
        timeout: float = 30.0,
        retries: Retries | None = None,
        verify: SSLContext | bool = True,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(
            base_url=url.rstrip("/"),
            headers=headers,
            timeout=httpx.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS)),
            verify=verify,
            transport=transport,
        )
        self._project = project
        self._retries = retries or Retries()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, model: type[M], *path: str, **query: str | None) -> M:
        """What stands at a path below ``/v1-webhooks``."""
        given = {name: value for name, value in query.items() if value is not None}
        return read(self.send(Sent("GET", path_to(*path), given, repeatable=True)), model)

    def etag(self, *path: str) -> str:
        """The version of what stands at a path, for ``put``."""
        answer = self.send(Sent("GET", path_to(*path), repeatable=True))
        require_success(answer)
        return str(answer.headers["etag"])

    def post(self, model: type[M], body: Any, *path: str) -> M:
        """What comes of a POST."""
        return read(self.send(Sent("POST", path_to(*path), body=body)), model)

    def put(
        self, model: type[M], body: Mapping[str, Any], *path: str, etag: str | None = None
    ) -> M:
        """What stands at a path after a change.

        Args:
            etag: the version that the change is made for; any if left out.
        """
        headers = {} if etag is None else {"If-Match": etag}
        sent = Sent(
            "PUT", path_to(*path), body=dict(body), headers=headers, repeatable=etag is None
        )
        return read(self.send(sent), model)

    def delete(self, *path: str) -> None:
        """End what stands at a path."""
        require_success(self.send(Sent("DELETE", path_to(*path))))

    def pages(
        self, model: type[M], path: str, limit: int, query: Mapping[str, str | None]
    ) -> Iterator[M]:
        """All objects of a list, newest first, fetched page by page.

        Args:
            limit: how many objects one page has.
        """
        marker: str | None = None
        while True:
            asked = {**query, "limit": str(limit), "marker": marker}
            page = self.get(CollectionResource[model], path, **asked)  # type: ignore[valid-type]
            yield from page.data
            marker = marker_of(page)
            if marker is None:
                return

    def named(self, model: type[M], path: str, name: str) -> M | None:
        """The object of a list that has this name."""
        page = self.get(CollectionResource[model], path, name=name)  # type: ignore[valid-type]
        return page.data[0] if page.data else None

    def send(self, sent: Sent) -> httpx.Response:
        """Send a request until an answer counts.

        Raises:
            Unreachable: there is none.
        """
        query = dict(sent.query) if self._project is None else {"projectId": self._project}
        query.update(sent.query)
        tries = 0
        while True:
            tries += 1
            try:
                answer = self._http.request(
                    sent.method,
                    sent.path,
                    params=query,
                    json=sent.body,
                    headers=dict(sent.headers),
                )
                pause = self._retries.after_answer(sent, answer, tries)
                if pause is None:
                    return answer
            except httpx.TransportError as fault:
                pause = self._retries.after_fault(sent, fault, tries)
                if pause is None:
                    raise unreachable(str(self._http.base_url), fault, tries) from fault
            sleep(pause)
