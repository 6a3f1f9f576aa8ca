"""The Kubernetes API as JSON, for the tests themselves: no code is shared with what they test."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import urllib3

Json = dict[str, Any]
# What a call meets while the server is stopped, starting, or closing a watch.
UNREACHABLE = (urllib3.exceptions.HTTPError, OSError, ValueError)


class ApiError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    def __init__(self, server: str, token: str, authority: Path) -> None:
        self._server = server
        self._headers = {"Authorization": f"Bearer {token}"}
        self._pool = urllib3.PoolManager(
            maxsize=8, retries=False, ca_certs=str(authority), timeout=urllib3.Timeout(10)
        )

    def get(self, path: str) -> Json:
        return self._call("GET", path)

    def post(self, path: str, body: Json) -> Json:
        return self._call("POST", path, body)

    def patch(self, path: str, body: Json) -> Json:
        """A JSON merge patch."""
        return self._call("PATCH", path, body, "application/merge-patch+json")

    def delete(self, path: str, options: Json | None = None) -> Json:
        return self._call("DELETE", path, options)

    def ready(self) -> bool:
        try:
            answer = self._pool.request("GET", f"{self._server}/readyz", headers=self._headers)
        except UNREACHABLE:
            return False
        return answer.status == 200

    def watch(self, path: str, version: str) -> "Watch":
        url = f"{self._server}{path}?watch=1&resourceVersion={version}"
        timeout = urllib3.Timeout(connect=5, read=None)
        response = self._pool.request(
            "GET", url, headers=self._headers, preload_content=False, timeout=timeout
        )
        return Watch(response)

    def close(self) -> None:
        self._pool.clear()

    def _call(
        self, method: str, path: str, body: Json | None = None, kind: str = "application/json"
    ) -> Json:
        answer = self._pool.request(
            method,
            self._server + path,
            body=None if body is None else json.dumps(body),
            headers=self._headers | {"Content-Type": kind},
        )
        if answer.status >= 400:
            raise ApiError(answer.status, answer.data.decode(errors="replace")[:500])
        result: Json = json.loads(answer.data)
        return result


class Watch:
    """The events of one watch; `stop` may be called from another thread."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._response = response

    def __iter__(self) -> Iterator[Json]:
        try:
            for line in self._response:
                if line.strip():
                    yield json.loads(line)
        finally:
            self._response.close()

    def stop(self) -> None:
        try:
            self._response.shutdown()
        except (ValueError, RuntimeError, OSError):
            pass  # it has ended already
