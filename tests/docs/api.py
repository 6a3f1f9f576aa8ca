"""docs/api.md, made from the document that the service gives.

``python -m tests.docs.api`` writes it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from starlette.routing import Route

from webhook_service.driver import WebhookDriver
from webhook_service.host.api.document.openapi import REF, openapi
from webhook_service.plugins.discovery import Plugins

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
HOW = "run `python -m tests.docs.api`"
Json = Mapping[str, Any]
HEAD = """\
# The API

This page is made from the models that the service answers with. `GET /v1-webhooks/openapi.json`
is the same in OpenAPI 3.1, with the configs of the installed drivers ([drivers](drivers.md)).
Rancher 1.6's schemas stay at `/v1-webhooks/schemas`.

- **Who calls**: `Authorization: Bearer wht_…`. A token has a role and a project ([who may do
  what](operations.md#audit)).
- **`projectId`** is in the query of every request about a project. With a token you can leave it
  out.
- **Lists** are newest first. `limit` is 1 to 1000, by default 100. If there is another page,
  `links.next` is its URL.
- **Refusals** have a `code` for programs and a `message` that says what to do. With 429 and 503
  nothing was stored: send the request again after `Retry-After` seconds.
- **New fields** may come with any release; ignore those that you do not know.

## From Python

```python
from webhook_service.client import Client

with Client("https://hooks.example.com", "wht_…") as client:
    shop = client.receivers.find("shop")
    for execution in client.executions.list(receiver=shop.id, state="failed"):
        print(execution.id, execution.message)
    ended = client.executions.wait("exe_…", seconds=600)
```

`AsyncClient` has the same methods, to be awaited. `list` goes over all pages, `follow` gives an
execution each time that it has changed, and `wait` gives it once it has ended. A request that may
have been carried out is not sent again unless that does no harm; all others are sent up to four
times. Whatever goes wrong is a `ClientError`: `Rejected` with the service's `reason`,
`Unreachable`, `UnreadableAnswer` or `NotEnded`.
[examples/client](../examples/client/deploy_gate.py) is a gate for a pipeline.
"""


def made() -> str:
    """The whole page."""
    document = openapi(_routes(), Plugins[WebhookDriver[Any, Any]]("", "driver", WebhookDriver))
    schemas = document["components"]["schemas"]
    told = [HEAD, "## Requests\n", *_requests(document["paths"]), "\n## Objects\n"]
    for name, schema in schemas.items():
        if not name.endswith("Collection"):
            told += _object(name, schema)
    return "\n".join(told).rstrip() + "\n"


def _requests(paths: Mapping[str, Json]) -> Iterator[str]:
    yield "| request | what it does | body | answer |\n|---|---|---|---|"
    for path, methods in paths.items():
        for method, operation in methods.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            answers = [
                content["application/json"]["schema"]
                for status, answer in operation["responses"].items()
                if status.startswith("2") and (content := answer.get("content"))
            ]
            told = _type(answers[0]) if answers else "none (204)"
            asked = _type(body["schema"]) if body.get("schema") else "none"
            yield f"| `{method.upper()} {path}` | {operation['summary']} | {asked} | {told} |"
    yield "\n### Filters of lists\n\n| list | fields of the query |\n|---|---|"
    for path, methods in paths.items():
        names = [each["name"] for each in methods.get("get", {}).get("parameters", [])]
        if "marker" in names:
            shown = ", ".join(f"`{name}`" for name in names if name != "projectId")
            yield f"| `{path}` | {shown} |"


def _object(name: str, schema: Json) -> Iterator[str]:
    yield f"### {name}\n"
    yield schema.get("description", "").replace("\n", " ").replace("``", "`") + "\n"
    if values := schema.get("enum"):
        yield ", ".join(f"`{value}`" for value in values) + "\n"
    if fields := schema.get("properties"):
        needed = schema.get("required", [])
        yield "| field | type | meaning |\n|---|---|---|"
        for field, found in fields.items():
            may_miss = "" if field in needed else " (may be missing)"
            yield f"| `{field}` | {_type(found)}{may_miss} | {found.get('description', '')} |"
        yield ""


def _type(schema: Json) -> str:
    """What a value is, in a word or two."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(REF)
        if name.endswith("Collection"):
            return f"list of {_linked(name.removesuffix('Collection'))}"
        return _linked(name)
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(map(_type, options))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if schema.get("format") == "date-time":
        return "time"
    return str(schema.get("type", "any JSON"))


def _linked(name: str) -> str:
    return f"[{name}](#{name.lower()})"


def _routes() -> list[Route]:
    """Those of a host; its service has no database, and nothing is asked of it."""
    from unittest.mock import MagicMock

    from webhook_service.host.app import create_app

    return [route for route in create_app(MagicMock()).routes if isinstance(route, Route)]


if __name__ == "__main__":
    PAGE.write_text(made())
