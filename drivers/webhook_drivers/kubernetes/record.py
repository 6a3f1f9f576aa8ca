"""What the service writes on a workload about its pushes, so that it needs no database to be safe.

One annotation holds one entry per repository: two images of one pod may come from two receivers,
and a push of one must not supersede a push of the other. It is written in the same PATCH as the
images, under the object's resourceVersion.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from webhook_drivers.kubernetes.resources import Json
from webhook_drivers.kubernetes.workloads import annotation

PUSHES = "webhook-service.io/pushes"
PUSH = "webhook-service.io/push"
"""On the pod template: names the push that rolled it, where the image alone does not."""
CHANGE_CAUSE = "kubernetes.io/change-cause"
MAX_REPOSITORIES = 20


class Record(BaseModel):
    """The newest push of one repository to one workload.

    Attributes:
        previous: the images that the push replaced, by container.
        previous_push: the pod template's push annotation that it replaced.
        held: the identity of this push if it was rolled back: it is not deployed again.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    order_key: str = ""
    identity: str = ""
    delivery: str = ""
    execution: str = ""
    previous: dict[str, str] = {}
    previous_push: str | None = None
    held: str | None = None

    def is_of(self, execution: str) -> bool:
        return bool(execution) and self.execution == execution


def read(obj: Json) -> dict[str, Record]:
    """The records of an object by repository; what people broke is treated as absent."""
    try:
        entries = json.loads(annotation(obj, PUSHES) or "{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(entries, dict):
        return {}
    records = {name: _record(entry) for name, entry in entries.items()}
    return {name: record for name, record in records.items() if record}


def written(obj: Json, repository: str, record: Record, cause: str) -> dict[str, str]:
    """The annotations to write: the record beside those of other repositories, and the cause."""
    records = {**read(obj), repository: record}
    newest = sorted(records, key=lambda name: (name == repository, records[name].order_key))
    kept = {name: _entry(records[name]) for name in newest[-MAX_REPOSITORIES:]}
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"))
    return {PUSHES: text, CHANGE_CAUSE: cause}


def _record(entry: Any) -> Record | None:
    try:
        return Record.model_validate(entry, strict=True)
    except ValidationError:
        return None


def _entry(record: Record) -> Mapping[str, Any]:
    entry = record.model_dump(by_alias=True)
    return {key: value for key, value in entry.items() if key != "held" or value}
