"""What the API server refuses with 422 Invalid."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from webhook_service.testing.fake_cluster.api import selectors
from webhook_service.testing.fake_cluster.api.statuses import (
    Cause,
    bad_request,
    forbidden_change,
    invalid,
    required,
    wrong,
)
from webhook_service.testing.fake_cluster.objects import schemas
from webhook_service.testing.fake_cluster.objects.resources import DEFINITIONS, Object, Resource

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME_HINT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_STATEFUL_HINT = (
    "updates to statefulset spec for fields other than 'replicas', 'template', and "
    "'updateStrategy' are forbidden"
)
# https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations/
MAX_ANNOTATIONS = 256 * 1024
INTEGERS = (
    "replicas",
    "minReadySeconds",
    "revisionHistoryLimit",
    "backoffLimit",
    "progressDeadlineSeconds",
)
SELECTING = ("deployments.apps", "replicasets.apps", "statefulsets.apps", "daemonsets.apps")


def check(resource: Resource, new: Object, old: Object | None) -> None:
    """Validates a new object, or a new state of ``old``.

    Raises:
        ApiError: 422, with a cause per field.
    """
    if mistyped := [*_types(new.get("spec"))]:
        if old is None:
            raise bad_request(f"{resource.kind} cannot be read: {mistyped[0].field}")
        raise invalid(resource, new["metadata"]["name"], mistyped)
    causes = [*_metadata(new), *_spec(resource, new)]
    if old is not None:
        causes += _changes(resource, new, old)
    if causes:
        raise invalid(resource, new["metadata"].get("name", ""), causes)


def _types(spec: Any) -> Iterator[Cause]:
    """What would not even decode; the controllers rely on these types."""
    spec = spec if isinstance(spec, dict) else {}
    for field in INTEGERS:
        value = spec.get(field, 0)
        if not isinstance(value, int) or isinstance(value, bool):
            yield wrong("patch", json.dumps(value), f"spec.{field} is not a number")
    template = spec.get("template") or {}
    for field in ("containers", "initContainers"):
        found = (template.get("spec") or {}).get(field) or []
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            yield wrong("patch", json.dumps(found), f"{field} is not a list of objects")


def _metadata(item: Object) -> Iterator[Cause]:
    name = item["metadata"].get("name", "")
    if not name:
        yield required("metadata.name", "name or generateName is required")
    elif not _NAME.fullmatch(name) or len(name) > 253:
        yield wrong("metadata.name", json.dumps(name), _NAME_HINT)
    yield from _annotations(item["metadata"], "metadata.annotations")


def _annotations(metadata: Object, path: str) -> Iterator[Cause]:
    """All of them together have a limit: bytes of names and values."""
    found = metadata.get("annotations") or {}
    if sum(len(f"{name}{value}".encode()) for name, value in found.items()) > MAX_ANNOTATIONS:
        hint = f"Too long: must have at most {MAX_ANNOTATIONS} bytes"
        yield Cause("FieldValueTooLong", path, hint)


def _spec(resource: Resource, item: Object) -> Iterator[Cause]:
    spec = item.get("spec") or {}
    if resource.custom:
        yield from schemas.violations(resource.schema, item, "")
    elif resource is DEFINITIONS:
        yield from schemas.faults_of_definition(item)
    elif resource.qualified == "pods":
        yield from _containers(spec, "spec")
    elif resource.qualified == "events":
        yield from _event(item)
    elif resource.qualified in SELECTING or resource.qualified == "jobs.batch":
        yield from _not_negative(spec)
        if resource.qualified in SELECTING:
            yield from _selector(spec)
        yield from _annotations(spec["template"].get("metadata") or {}, "spec.template.annotations")
        yield from _containers(spec["template"]["spec"], "spec.template.spec")
        yield from _deadline(spec)
        yield from _strategy(spec)


def _event(item: Object) -> Iterator[Cause]:
    involved = (item.get("involvedObject") or {}).get("namespace", "")
    if involved != item["metadata"].get("namespace"):
        hint = "does not match event.namespace"
        yield wrong("involvedObject.namespace", json.dumps(involved), hint)


def _not_negative(spec: Object) -> Iterator[Cause]:
    for field in INTEGERS:
        value = spec.get(field, 0)
        if value < 0:
            yield wrong(f"spec.{field}", str(value), "must be greater than or equal to 0")


def _selector(spec: Object) -> Iterator[Cause]:
    if not spec.get("selector"):
        yield required("spec.selector")
        return
    labels = spec["template"]["metadata"].get("labels") or {}
    if not selectors.accepts(selectors.from_object(spec["selector"]), labels):
        shown = ", ".join(f'"{key}":"{value}"' for key, value in sorted(labels.items()))
        hint = "`selector` does not match template `labels`"
        yield wrong("spec.template.metadata.labels", f"map[string]string{{{shown}}}", hint)


def _containers(spec: Object, path: str) -> Iterator[Cause]:
    if not spec.get("containers"):
        yield required(f"{path}.containers")
    for field in ("initContainers", "containers"):
        seen: set[str] = set()
        for index, container in enumerate(spec.get(field) or ()):
            where, name = f"{path}.{field}[{index}]", container.get("name")
            if not name:
                yield required(f"{where}.name")
            elif name in seen:
                yield Cause(
                    "FieldValueDuplicate", f"{where}.name", f"Duplicate value: {json.dumps(name)}"
                )
            seen.add(name)
            if not container.get("image"):
                yield required(f"{where}.image")


def _deadline(spec: Object) -> Iterator[Cause]:
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None and deadline <= spec.get("minReadySeconds", 0):
        hint = "must be greater than minReadySeconds"
        yield wrong("spec.progressDeadlineSeconds", str(deadline), hint)


def _strategy(spec: Object) -> Iterator[Cause]:
    strategy = spec.get("strategy") or {}
    if strategy.get("type") == "Recreate" and strategy.get("rollingUpdate"):
        hint = "may not be specified when strategy `type` is 'Recreate'"
        yield forbidden_change("spec.strategy.rollingUpdate", hint)


def _changes(resource: Resource, new: Object, old: Object) -> Iterator[Cause]:
    before, after = old.get("spec") or {}, new.get("spec") or {}
    if resource.qualified == "statefulsets.apps":
        free = ("replicas", "template", "updateStrategy", "minReadySeconds")
        if _without(before, free) != _without(after, free):
            yield forbidden_change("spec", _STATEFUL_HINT)
    elif resource.qualified in SELECTING and before["selector"] != after.get("selector"):
        shown = f"v1.LabelSelector{json.dumps(after.get('selector'))}"
        yield wrong("spec.selector", shown, "field is immutable")
    elif resource.qualified == "jobs.batch" and before["template"] != after["template"]:
        yield wrong("spec.template", "core.PodTemplateSpec{...}", "field is immutable")


def _without(spec: Object, fields: tuple[str, ...]) -> Object:
    return {key: value for key, value in spec.items() if key not in fields}
