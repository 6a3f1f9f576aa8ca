"""HTTP: one request of the Kubernetes API, from bytes to bytes."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from time import monotonic
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from webhook_service.testing.fake_cluster.api import patches, paths
from webhook_service.testing.fake_cluster.api.access import Access
from webhook_service.testing.fake_cluster.api.paths import ApiPath
from webhook_service.testing.fake_cluster.api.statuses import (
    ApiError,
    bad_request,
    method_not_allowed,
    unauthorized,
)
from webhook_service.testing.fake_cluster.api.verbs import Api
from webhook_service.testing.fake_cluster.api.watch import WatchStream
from webhook_service.testing.fake_cluster.connections import Ask, PodAnswers
from webhook_service.testing.fake_cluster.objects.objects import ObjectStore
from webhook_service.testing.fake_cluster.objects.resources import (
    ACCESS_REVIEWS,
    NAMESPACES,
    PODS,
    Catalogue,
    Object,
)

METHODS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


@dataclass(frozen=True, slots=True)
class Request:
    """One request that the fake cluster received; ``at`` is in ``time.monotonic`` seconds."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    content_type: str = ""
    at: float = field(default_factory=monotonic)


@dataclass(frozen=True, slots=True)
class Service:
    """What all handlers of one server share."""

    api: Api
    store: ObjectStore
    access: Access
    catalogue: Catalogue
    connections: PodAnswers
    token: str
    record: Callable[[Request], None]


class Handler(BaseHTTPRequestHandler):
    """Serves one connection. ``service`` is set by a subclass that the cluster makes."""

    service: Service
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: tests read ``FakeCluster.requests`` instead."""

    def _answer(self) -> None:
        try:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._serve(raw)
        except ApiError as exc:
            self._send(exc.code, exc.status())
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        except Exception as exc:
            # A malformed object must answer 500, as a server does, and not end the connection.
            message = f"Internal error occurred: {type(exc).__name__}: {exc}"
            self._send(500, ApiError(500, "InternalError", message).status())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

    def _serve(self, raw: bytes) -> None:
        url = urlsplit(self.path)
        params = dict(parse_qsl(url.query, keep_blank_values=True))
        media = (self.headers.get("Content-Type") or "").partition(";")[0].strip()
        body, failure = None, None
        try:
            body = _parsed(raw, media)
        except ApiError as exc:
            failure = exc
        self.service.record(Request(self.command, url.path, params, body, media))
        token = self.service.token
        if token and self.headers.get("Authorization") != f"Bearer {token}":
            raise unauthorized()
        document = paths.document(self.service.catalogue, url.path)
        if document is not None:
            return self._send(200, document)
        target = paths.find(self.service.catalogue, url.path)
        self._authorize(target, params)
        if target.subresource == "proxy":
            return self._pass_on(target, url.query, raw)
        if failure:
            raise failure
        self._dispatch(target, params, media, body)

    def _pass_on(self, target: ApiPath, query: str, raw: bytes) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        headers.pop("authorization", None)
        ask = Ask(self.command, "/" + target.rest, query, headers, raw)
        reply = self.service.connections.ask(target.namespace, target.name, ask)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def _authorize(self, target: ApiPath, params: Mapping[str, str]) -> None:
        verb = METHODS.get(self.command) or self.command.lower()
        if verb == "get" and _watching(params):
            verb = "watch"
        elif not target.name:
            verb = {"get": "list", "delete": "deletecollection"}.get(verb, verb)
        if target.resource is ACCESS_REVIEWS:
            return
        # As in Kubernetes, a request about a namespace itself is a request inside it.
        namespace = target.name if target.resource is NAMESPACES else target.namespace
        self.service.access.check(verb, target.resource, target.subresource, namespace, target.name)

    def _dispatch(self, target: ApiPath, params: dict[str, str], media: str, body: Any) -> None:
        api, dry_run = self.service.api, params.get("dryRun") == "All"
        agent = (self.headers.get("User-Agent") or "").partition("/")[0]
        manager = params.get("fieldManager") or agent
        if target.resource is ACCESS_REVIEWS:
            if self.command != "POST":
                raise method_not_allowed()
            return self._send(201, self.service.access.review(_object(body)))
        if self.command == "GET":
            return self._read(target, params)
        if self.command == "PATCH" and target.name:
            patched, created = api.patch(target, media, body, params, manager)
            return self._send(201 if created else 200, patched)
        if self.command == "POST" and not target.name:
            return self._send(201, api.create(target, _object(body), dry_run, manager))
        if self.command == "PUT" and target.name:
            return self._send(200, api.replace(target, _object(body), dry_run, manager))
        if self.command == "DELETE" and not target.subresource:
            return self._delete(target, params, body or {})
        raise method_not_allowed()

    def _read(self, target: ApiPath, params: dict[str, str]) -> None:
        if target.subresource == "log":
            connections = self.service.connections
            self._send(200, connections.logged(target.namespace, target.name, params))
        elif _watching(params):
            self._stream(WatchStream(self.service.store, target, params, self._client_gone))
        elif target.name:
            self._send(200, self.service.api.get(target))
        else:
            self._send(200, self.service.api.collect(target, params))

    def _delete(self, target: ApiPath, params: dict[str, str], options: Object) -> None:
        if not target.name:
            self.service.api.delete_collection(target, params)
            return self._send(200, {"kind": "Status", "apiVersion": "v1", "status": "Success"})
        if "propagationPolicy" in params:
            options = {**options, "propagationPolicy": params["propagationPolicy"]}
        dry_run = "All" in (params.get("dryRun"), *(options.get("dryRun") or ()))
        item = self.service.api.delete(target, options, dry_run)
        if target.resource in (PODS, NAMESPACES):
            return self._send(200, item)
        details = {"name": target.name, "group": target.resource.group}
        details |= {"kind": target.resource.plural, "uid": item["metadata"]["uid"]}
        status: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}}
        self._send(200, status | {"status": "Success", "details": details})

    def _stream(self, watch: WatchStream) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        for event in watch.events():
            line = json.dumps(event, separators=(",", ":")).encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def _client_gone(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)

    def _send(self, code: int, body: Object | str) -> None:
        text = body if isinstance(body, str) else json.dumps(body, separators=(",", ":"))
        raw = text.encode()
        self.send_response(code)
        media = "text/plain" if isinstance(body, str) else "application/json"
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


def _watching(params: Mapping[str, str]) -> bool:
    return params.get("watch") in ("true", "1")


def _object(body: Any) -> Object:
    if not isinstance(body, dict):
        raise bad_request("the object provided is unrecognized (must be of type Object)")
    return body


def _parsed(raw: bytes, media: str) -> Any:
    if not raw:
        return None
    try:
        return json.loads(raw)
    except ValueError as exc:
        if media != patches.APPLY:
            raise bad_request(f"the object provided is unrecognized: {exc}") from exc
    try:
        import yaml  # optional: an apply body may be YAML, and PyYAML is no requirement
    except ImportError as exc:
        raise bad_request("YAML bodies need PyYAML: install it, or send JSON") from exc
    try:
        return yaml.safe_load(raw)
    except yaml.YAMLError as exc:
        raise bad_request(f"error decoding YAML: {exc}") from exc
