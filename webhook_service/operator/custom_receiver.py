"""One custom resource as the operator reads it, and the status that it writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from webhook_service.errors import WebhookServiceError
from webhook_service.model.receiver_document import GROUP, KIND, VERSION, ReceiverDocument

Json = Mapping[str, Any]
ConditionType = Literal["Ready", "Healthy"]


@dataclass(frozen=True, slots=True)
class CustomReceiver:
    """A Receiver in a namespace."""

    namespace: str
    name: str
    uid: str
    generation: int
    spec: Json
    status: Json

    @classmethod
    def read(cls, body: Json) -> CustomReceiver:
        """A resource as the API server gives it."""
        about = body["metadata"]
        return cls(
            *(about["namespace"], about["name"], about["uid"], about.get("generation", 0)),
            body.get("spec") or {},
            body.get("status") or {},
        )

    @property
    def document(self) -> ReceiverDocument:
        """It as a file could have it; without labels, as the cluster knows what is gone."""
        return ReceiverDocument(self.name, self.namespace, {}, self.spec)

    @property
    def url_secret(self) -> str:
        return f"{self.name}-receiver-url"

    @property
    def reference(self) -> dict[str, str]:
        """It as the owner of something else."""
        return {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": KIND,
            "name": self.name,
            "uid": self.uid,
        }


@dataclass(frozen=True, slots=True)
class Condition:
    """What is so of a resource, and why."""

    type: ConditionType
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str

    @classmethod
    def failed(cls, type: ConditionType, error: WebhookServiceError) -> Condition:
        """What an error says, in the words of the API."""
        words = "".join(word.capitalize() for word in error.code.split("_"))
        return cls(type, "False", words, error.message)

    def as_json(self, resource: CustomReceiver, now: datetime) -> Json:
        """It in the resource's status; the time is when its status changed last.

        https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md#typical-status-properties
        """
        conditions = resource.status.get("conditions") or ()
        same = [c for c in conditions if (c["type"], c["status"]) == (self.type, self.status)]
        return {
            "type": self.type,
            "status": self.status,
            "reason": self.reason,
            "message": self.message,
            "observedGeneration": resource.generation,
            "lastTransitionTime": same[0].get("lastTransitionTime")
            if same
            else now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
