"""From a custom resource to a receiver: what is made, changed, told and deleted.

Everything here can be done again, and by two operators at once: the receiver of a resource is the
one of its name, and a receiver that is as the resource says is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

from webhook_service.errors import ChangedMeanwhile, NotFound, WebhookServiceError
from webhook_service.host.http.links import Links
from webhook_service.model.people.audit import Actor
from webhook_service.model.receiver import Receiver, as_json
from webhook_service.model.receiver_document import hiding, refuse_plain_secrets, with_secrets
from webhook_service.operator.cluster import HomeCluster
from webhook_service.operator.custom_receiver import Condition, CustomReceiver
from webhook_service.receiving.bodies.receiver import read_spec
from webhook_service.service import WebhookService

Json = Mapping[str, Any]
# From here on an error is the service's, and passes.
OURS = 500


class Reconciler:
    """Carries resources over to a service.

    Args:
        base_url: of the service, as senders reach it.
    """

    def __init__(self, service: WebhookService, cluster: HomeCluster, base_url: str) -> None:
        self._service = service
        self._cluster = cluster
        self._base_url = base_url

    def reconcile(self, resource: CustomReceiver) -> Json:
        """Let the receiver be as the resource says; gives the resource's new status.

        Raises:
            ChangedMeanwhile: somebody has changed the resource, or the receiver; nothing was done.
            WebhookServiceError: the service cannot answer now; try again.
        """
        try:
            receiver = self._apply(resource)
            secret = self._keep_url(resource, receiver)
        except WebhookServiceError as exc:
            if exc.status >= OURS or exc.status == 409 or isinstance(exc, ChangedMeanwhile):
                raise
            ready, secret = Condition.failed("Ready", exc), resource.status.get("urlSecret")
            found = self._stored(resource)
        else:
            ready, found = Condition("Ready", "True", "Stored", _said_of(receiver)), receiver
        now = datetime.now(UTC)
        conditions = [each.as_json(resource, now) for each in (ready, self._health(found))]
        return {
            "observedGeneration": resource.generation,
            "receiver": found and found.id,
            "state": found and found.spec.state.value,
            "urlSecret": secret,
            "conditions": conditions,
        }

    def delete(self, resource: CustomReceiver) -> None:
        """Delete the receiver of a resource, if it is still there."""
        found = self._stored(resource)
        if found is not None:
            with suppress(NotFound):
                self._service.delete_receiver(resource.namespace, found.id, by=_actor(resource))

    def _apply(self, resource: CustomReceiver) -> Receiver:
        said = resource.document.body(self._takes_namespace)
        read = partial(self._cluster.read_secret, resource.namespace)
        body, texts = with_secrets(said, read)
        with hiding(texts):
            return self._carry_over(resource, said, body)

    def _carry_over(self, resource: CustomReceiver, said: Json, body: Json) -> Receiver:
        refuse_plain_secrets(
            said, as_json(read_spec(body, self._service.drivers, self._service.schemes))
        )
        self._name_back(resource)
        planned = self._service.apply_receiver(resource.namespace, body, dry_run=True)
        if planned.result == "unchanged":
            return planned.after
        # Another replica may have heard of a newer resource before this one.
        self.require_newest(resource)
        version = planned.before.version if planned.before else 0
        by = _actor(resource)
        return self._service.apply_receiver(resource.namespace, body, version=version, by=by).after

    def require_newest(self, resource: CustomReceiver) -> None:
        """Make sure that what is written about a resource is of its newest state.

        Raises:
            ChangedMeanwhile: it is not.
        """
        if not self._cluster.is_newest(resource):
            raise ChangedMeanwhile("Somebody has changed the resource meanwhile.")

    def _takes_namespace(self, driver: str) -> bool:
        drivers = self._service.drivers
        return driver in drivers.names and "namespace" in drivers.get(driver).Config.model_fields

    def _name_back(self, resource: CustomReceiver) -> None:
        """Undo what would make another receiver of it: that somebody renamed the one it has."""
        known = resource.status.get("receiver")
        if not known:
            return
        with suppress(NotFound):
            if self._service.get_receiver(resource.namespace, known).name != resource.name:
                self._service.update_receiver(
                    resource.namespace, known, {"name": resource.name}, by=_actor(resource)
                )

    def _keep_url(self, resource: CustomReceiver, receiver: Receiver) -> str | None:
        key = self._service.receiver_keys([receiver]).get(receiver.id)
        if key is None:
            return None
        links = Links(self._base_url, receiver.project)
        self._cluster.keep_url(resource, links.to("/endpoint", {"key": key}))
        return resource.url_secret

    def _stored(self, resource: CustomReceiver) -> Receiver | None:
        return self._service.find_receiver(resource.namespace, resource.name)

    def _health(self, receiver: Receiver | None) -> Condition:
        if receiver is None:
            return Condition("Healthy", "Unknown", "NotStored", "There is no receiver yet.")
        try:
            self._service.require_working(receiver)
        except WebhookServiceError as exc:
            return Condition.failed("Healthy", exc)
        warnings = " ".join(self._service.receiver_warnings(receiver))
        if warnings:
            return Condition("Healthy", "True", "Warned", warnings)
        return Condition("Healthy", "True", "Works", "The driver finds nothing wrong.")


def _said_of(receiver: Receiver) -> str:
    return f"Receiver {receiver.id} of project {receiver.project} is as the resource says."


def _actor(resource: CustomReceiver) -> Actor:
    return Actor(f"Receiver {resource.namespace}/{resource.name}"[:255])
