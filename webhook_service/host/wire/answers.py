"""Answers: what all of them have, collections and errors, as Rancher 1.6 has them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.responses import JSONResponse

from webhook_service.host.http.links import Links
from webhook_service.model.pages import Page
from webhook_service.resources import ErrorResource, VersionResource

Json = dict[str, Any]
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class JSONAnswer(JSONResponse):
    """JSON by an encoder that is made once; Starlette makes one, and a response, step by step."""

    def __init__(self, content: Any, headers: Mapping[str, str]) -> None:
        self.status_code, self.background = 200, None
        self.body = _encode(content).encode()
        self.raw_headers = [
            *[(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
            (b"content-length", b"%d" % len(self.body)),
            (b"content-type", b"application/json"),
        ]


def answer(links: Links, body: Json) -> JSONResponse:
    """A successful answer."""
    return JSONAnswer(body, {"X-Api-Schemas": links.schemas})


def collection(links: Links, path: str, kind: str, data: Iterable[Json]) -> Json:
    """A whole collection; ``path`` is the request's."""
    return {
        "type": "collection",
        "resourceType": kind,
        "data": list(data),
        "links": {"self": links.at(path)},
    }


def page_json(
    links: Links,
    path: str,
    kind: str,
    data: Iterable[Json],
    page: Page[Any],
    query: Mapping[str, str],
) -> Json:
    """One page of a collection; if it is not the last, it says where the next one is."""
    found = collection(links, path, kind, data)
    found["links"]["self"] = links.at(path, query)
    if page.next is not None:
        following = links.at(path, {**query, "marker": page.next})
        found["links"]["next"] = following
        found["pagination"] = {"limit": len(page.items), "next": following}
    return found


def error_json(status: int, code: str, message: str, self_link: str) -> Json:
    """An error; ``code`` is for programs."""
    return ErrorResource(
        type="error",
        status="Server Error",
        status_code=status,
        code=code,
        message=message,
        links={"self": self_link},
        actions={},
    ).as_json()


def version_json(links: Links, path: str) -> Json:
    """What ``GET /v1-webhooks`` answers."""
    kinds = ("receivers", "deliveries", "executions", "audit", "schemas")
    return VersionResource(
        type="apiVersion",
        links={"self": links.at(path), **{kind: links.to(f"/{kind}") for kind in kinds}},
        actions={},
    ).as_json()
