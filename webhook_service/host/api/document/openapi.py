"""OpenAPI 3.1 from the routes, their models, and the configs of the installed drivers.

https://spec.openapis.org/oas/v3.1.1.html
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Literal

from pydantic.json_schema import JsonSchemaMode, models_json_schema
from starlette.routing import Route

from webhook_service.driver import WebhookDriver
from webhook_service.host.api.document.operation import Operation, operation_of
from webhook_service.host.api.receiver_bodies import receiver_bodies
from webhook_service.host.http.query import QueryField
from webhook_service.host.http.routes import Handler
from webhook_service.plugins.discovery import Plugins
from webhook_service.resources import ApiModel, CollectionResource, ErrorResource, ReceiverFields

Json = dict[str, Any]

REF = "#/components/schemas/"
REFUSALS = {
    400: "The request cannot be used as it is.",
    401: "The API token is missing or not valid.",
    403: "The key is not known.",
    404: "There is no such object in the project.",
    405: "The caller's role may not do this.",
    408: "The body did not arrive in time.",
    409: "Somebody else changed it meanwhile, or a newer push won.",
    412: "If-Match names a version that is not the newest any more.",
    413: "The body is too large.",
    415: "The body is compressed.",
    422: "The body has a field that is not known.",
    424: "An execution failed.",
    429: "Too many requests, or a limit is reached.",
    503: "Nothing was stored: send it again after `Retry-After` seconds.",
}
DESCRIPTION = (
    "Receivers, what was called and what was done. Every request about a project names it in "
    "`projectId`; with an API token it may be left out. Answers may get new fields."
)
_IF_MATCH = ("If-Match", "The `ETag` that the change is made for.")
_IF_NONE = ("If-None-Match", "`*`: only if there is no receiver of this name yet.")
_CONDITIONS = {"updateReceiver": (_IF_MATCH,), "applyReceiver": (_IF_MATCH, _IF_NONE)}
PROJECT = QueryField("projectId", "The project; with an API token, its project by default.")


def openapi(routes: Iterable[Route], drivers: Plugins[WebhookDriver[Any, Any]]) -> Json:
    """The document, without the servers."""
    described = list(_described(routes))
    schemas = _schemas([operation for _, _, _, operation in described])
    schemas |= receiver_bodies(schemas.pop(ReceiverFields.__name__), drivers)
    paths: dict[str, Json] = {}
    for path, method, handler, operation in described:
        paths.setdefault(path, {})[method] = _operation(path, handler, operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "webhook-service",
            "version": version("webhook-service"),
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"token": []}, {"basic": []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "An API token."},
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "The API token as the password, for clients of Rancher 1.6.",
                },
            },
        },
    }


def _described(routes: Iterable[Route]) -> Iterator[tuple[str, str, Handler, Operation]]:
    for route in routes:
        operation = operation_of(route.endpoint)
        if operation is None or route.path.endswith("/"):
            continue
        for method in sorted((route.methods or set()) - {"HEAD"}):
            yield route.path, method.lower(), route.endpoint, operation


def _operation(path: str, handler: Handler, operation: Operation) -> Json:
    summary, _, rest = (inspect.getdoc(handler) or "").partition("\n\n")
    found: Json = {
        "operationId": operation.id,
        "summary": summary.replace("\n", " "),
        "tags": [path.split("/")[2] if path.count("/") > 1 else "service"],
        "parameters": [*_path_parameters(path), *_query_parameters(operation)],
        "responses": _responses(operation),
    }
    if description := rest.partition("Raises:")[0].strip():
        found["description"] = description.replace("\n", " ")
    if operation.body is not None:
        found["requestBody"] = _body(operation)
    if operation.scope in ("open", "version"):
        found["security"] = [{}, *([{"token": []}] if operation.scope == "version" else [])]
    for name, said in _CONDITIONS.get(operation.id, ()):
        found["parameters"].append(_parameter(name, "header", said))
    return found


def _path_parameters(path: str) -> Iterator[Json]:
    for part in path.split("/"):
        if part.startswith("{"):
            yield {**_parameter(part.strip("{}"), "path", "Its id."), "required": True}


def _query_parameters(operation: Operation) -> Iterator[Json]:
    scoped = [PROJECT] if operation.scope in ("project", "version") else []
    for field in (*scoped, *operation.query):
        found = _parameter(field.name, "query", field.description)
        if field.values:
            found["schema"]["enum"] = [each.value for each in field.values]
        if field.needed:
            found["required"] = True
        yield found


def _parameter(name: str, where: str, description: str) -> Json:
    return {"name": name, "in": where, "description": description, "schema": {"type": "string"}}


def _body(operation: Operation) -> Json:
    if operation.body == "call":
        return {
            "description": "What the sender sends, in the receiver's format.",
            "content": {"application/json": {"schema": {}}},
        }
    names = {"create": "ReceiverCreate", "update": "ReceiverUpdate"}
    name = names.get(operation.body) if isinstance(operation.body, str) else None
    schema = _ref(name or _name(operation.body))
    return {"required": operation.needs_body, "content": {"application/json": {"schema": schema}}}


def _responses(operation: Operation) -> Json:
    found: Json = {}
    for status in operation.answers:
        description = REFUSALS.get(status, "Done.")
        found[str(status)] = {"description": description}
        if operation.answer is not None:
            schema = _ref(_name(_answered(operation)))
            found[str(status)]["content"] = {"application/json": {"schema": schema}}
    for status in sorted({*_refusals(operation), *operation.statuses} - {*operation.answers}):
        content: Json = {"application/json": {"schema": _ref(_name(ErrorResource))}}
        if status in (400, 404):  # of a path that no route has, or of no valid HTTP
            content["text/plain"] = {"schema": {"type": "string"}}
        found[str(status)] = {"description": REFUSALS[status], "content": content}
    return found


def _refusals(operation: Operation) -> Sequence[int]:
    if operation.scope == "open":
        return ()
    with_body = (408, 409, 413, 415, 422) if operation.body is not None else ()
    return (400, 401, 404, 405, 429, 503, *with_body, *((409,) if not operation.answer else ()))


def _answered(operation: Operation) -> type[ApiModel]:
    assert operation.answer is not None
    return CollectionResource[operation.answer] if operation.many else operation.answer  # type: ignore[name-defined]


def _schemas(operations: Sequence[Operation]) -> Json:
    """The schemas of all models, by the names that the document has for them."""
    wanted: dict[type[ApiModel], JsonSchemaMode] = {
        ErrorResource: "serialization",
        ReceiverFields: "validation",
    }
    for operation in operations:
        if operation.answer is not None:
            wanted[_answered(operation)] = "serialization"
        if isinstance(operation.body, type):
            wanted[operation.body] = "validation"
    pairs: list[tuple[type[ApiModel], Literal["validation", "serialization"]]] = list(
        wanted.items()
    )
    for model, _ in pairs:
        model.model_rebuild()
    _, document = models_json_schema(pairs, by_alias=True, ref_template=f"{REF}{{model}}")
    text = json.dumps(document["$defs"])
    for name in sorted(document["$defs"], key=len, reverse=True):
        text = text.replace(f'"{REF}{name}"', f'"{REF}{_plain(name)}"')
    found: Json = json.loads(text)
    return {_plain(name): {**schema, "title": _plain(name)} for name, schema in found.items()}


def _name(model: object) -> str:
    assert isinstance(model, type)
    return _plain(model.__name__.replace("[", "_").replace("]", "_"))


def _plain(name: str) -> str:
    """``Execution`` of ``ExecutionResource``, ``ExecutionCollection`` of a collection of it."""
    if name.startswith("CollectionResource_"):
        return _plain(name.removeprefix("CollectionResource_").removesuffix("_")) + "Collection"
    return name.removesuffix("Resource")


def _ref(name: str) -> Mapping[str, str]:
    return {"$ref": f"{REF}{name}"}
