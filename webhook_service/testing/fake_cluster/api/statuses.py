"""The errors of the API, in the words of a real server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from webhook_service.testing.fake_cluster.objects.resources import Object, Resource

CHANGED = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


class ApiError(Exception):
    """A request ends with this code and a ``Status`` body."""

    def __init__(self, code: int, reason: str, message: str, details: Object | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    def status(self) -> Object:
        """The body, as ``v1.Status``."""
        status: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}}
        status |= {"status": "Failure", "message": self.message}
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        return status | {"code": self.code}


@dataclass(frozen=True, slots=True)
class Cause:
    """One invalid field: ``reason`` is ``FieldValueInvalid`` or the like."""

    reason: str
    field: str
    message: str


def required(field: str, hint: str = "") -> Cause:
    return Cause("FieldValueRequired", field, "Required value" + (f": {hint}" if hint else ""))


def wrong(field: str, value: str, hint: str) -> Cause:
    return Cause("FieldValueInvalid", field, f"Invalid value: {value}: {hint}")


def forbidden_change(field: str, hint: str) -> Cause:
    return Cause("FieldValueForbidden", field, f"Forbidden: {hint}")


def _details(resource: Resource, name: str, kind: str | None = None) -> Object:
    details = {"name": name, "group": resource.group, "kind": kind or resource.plural}
    return {key: value for key, value in details.items() if value}


def not_found(resource: Resource, name: str) -> ApiError:
    message = f'{resource.qualified} "{name}" not found'
    return ApiError(404, "NotFound", message, _details(resource, name))


def no_such_path() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(resource: Resource, name: str) -> ApiError:
    message = f'{resource.qualified} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, _details(resource, name))


def conflict(resource: Resource, name: str, why: str = CHANGED) -> ApiError:
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return ApiError(409, "Conflict", message, _details(resource, name))


def wrong_uid(resource: Resource, name: str, asked: str, actual: str) -> ApiError:
    """409: a delete was meant for an earlier object of the same name."""
    message = (
        f'Operation cannot be fulfilled on {resource.qualified_kind} "{name}": the UID in the '
        f"precondition ({asked}) does not match the UID in record ({actual}). The object might "
        "have been deleted and then recreated"
    )
    return ApiError(409, "Conflict", message, _details(resource, name, resource.kind))


def apply_failed(owners: Mapping[str, Sequence[str]], version: str) -> ApiError:
    """409: a server-side apply without force, of fields that are others'.

    Args:
        owners: the fields by their managers.
    """
    told, causes = [], []
    for manager, fields in owners.items():
        who = f'with "{manager}" using {version}'
        listed = "".join(f"\n- {field}" for field in fields)
        one = len(fields) == 1
        told.append(f"conflict {who}: {fields[0]}" if one else f"conflicts {who}:{listed}")
        said = {"reason": "FieldManagerConflict", "message": f"conflict {who}"}
        causes += [{**said, "field": field} for field in fields]
    count = f"{len(causes)} conflict{'' if len(causes) == 1 else 's'}"
    message = "\n".join([f"Apply failed with {count}: {told[0]}", *told[1:]])
    return ApiError(409, "Conflict", message, {"causes": causes})


def invalid(resource: Resource, name: str, causes: Sequence[Cause]) -> ApiError:
    """422, with one cause per field."""
    texts = [f"{cause.field}: {cause.message}" for cause in causes]
    summary = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    message = f'{resource.qualified_kind} "{name}" is invalid: {summary}'
    details = _details(resource, name, resource.kind)
    details["causes"] = [
        {"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes
    ]
    return ApiError(422, "Invalid", message, details)


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def expired(asked: int, oldest: int) -> ApiError:
    return ApiError(410, "Expired", f"too old resource version: {asked} ({oldest})")


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def method_not_allowed() -> ApiError:
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, {})


def unsupported(resource: Resource, accepted: Sequence[str]) -> ApiError:
    """415: a patch in a format that this resource does not take."""
    if not resource.custom:
        return ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    message = "the body of the request was in an unknown format - accepted media types include: "
    return ApiError(415, "UnsupportedMediaType", message + ", ".join(accepted))
