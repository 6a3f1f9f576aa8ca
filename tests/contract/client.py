"""A thin client over the official one's transport: any request, any answer, as JSON."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import urlencode

import urllib3
from kubernetes.client import ApiClient
from kubernetes.config import new_client_from_config

STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"

T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    code: int
    body: Any


class Client:
    def __init__(self, kubeconfig: Path, impersonate: str | None = None) -> None:
        self.api: ApiClient = new_client_from_config(str(kubeconfig))
        self._headers = {"Accept": "application/json"}
        if impersonate:
            self._headers["Impersonate-User"] = impersonate

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.api.rest_client.pool_manager.clear()
        self.api.close()

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        media: str = "application/json",
        query: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Answer:
        with self._open(method, path, body, media, query, headers, raw) as response:
            text = response.read()
        kind = response.headers.get("Content-Type", "")
        return Answer(response.status, json.loads(text) if "json" in kind else text.decode())

    def ok(self, method: str, path: str, *args: Any, **kwargs: Any) -> Any:
        answer = self.send(method, path, *args, **kwargs)
        assert answer.code < 300, f"{method} {path}: {answer.code} {answer.body}"
        return answer.body

    @contextmanager
    def watch(self, path: str, **query: object) -> Iterator[Iterator[Any]]:
        query = {"watch": "true", "timeoutSeconds": 30} | query
        with self._open("GET", path, None, "", query, None, None) as response:
            assert response.status == 200, response.read()
            lines = urllib3_lines(response)
            try:
                yield (json.loads(line) for line in lines)
            finally:
                # Not just released: what is left of the stream must not meet the next request.
                response.close()

    @contextmanager
    def _open(
        self,
        method: str,
        path: str,
        body: Any,
        media: str,
        query: Mapping[str, object] | None,
        headers: Mapping[str, str] | None,
        raw: bytes | None,
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        settings = self.api.configuration
        token = settings.auth_settings()["BearerToken"]["value"]
        sent = self._headers | {"Authorization": str(token)}
        sent |= {"Content-Type": media} if media else {}
        content = raw if raw is not None else None if body is None else json.dumps(body).encode()
        fields = "?" + urlencode(query) if query else ""
        response = self.api.rest_client.pool_manager.request(
            method,
            settings.host + path + fields,
            body=content,
            headers=sent | dict(headers or {}),
            preload_content=False,
            retries=False,
            timeout=30,
        )
        try:
            yield response
        finally:
            response.release_conn()


def urllib3_lines(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    for chunk in response.stream(65536):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


def eventually(check: Callable[[], T], seconds: float = 20) -> T:
    """What `check` gives, as soon as it is true and no longer fails an assertion."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if result := check():
                return result
            failure = AssertionError(f"never true: {result!r}")
        except AssertionError as exc:
            failure = exc
        if time.monotonic() > deadline:
            raise failure
        time.sleep(0.01)
