"""What the operator does in the cluster by itself: log in, and read and write Secrets."""

from __future__ import annotations

import json
import os
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from webhook_service.errors import InvalidConfig, SettingsError, Unavailable
from webhook_service.model.receiver_document import GROUP, VERSION, no_reference
from webhook_service.operator import PLURAL

if TYPE_CHECKING:
    from kubernetes.client import Configuration

    from webhook_service.operator.custom_receiver import CustomReceiver
    from webhook_service.settings import Settings

TIMEOUT = (5.0, 30.0)
MISSING, CONFLICT = 404, 409
# What the cluster says no to, and goes on to until somebody changes something there.
REFUSED = frozenset({400, 403, 413, 422})


def log_in(settings: Settings) -> Configuration:
    """How to reach the cluster: the kubeconfig of the settings, else the pod's own account.

    Raises:
        SettingsError: neither can be used.
    """
    from kubernetes import client, config

    configuration = client.Configuration()
    # The package's loaders carry no types.
    loaders: Any = config
    in_pod = "KUBERNETES_SERVICE_HOST" in os.environ
    try:
        if in_pod and not settings.kubeconfig and not settings.kube_context:
            loaders.load_incluster_config(client_configuration=configuration)
        else:
            loaders.load_kube_config(
                config_file=settings.kubeconfig and str(settings.kubeconfig),
                context=settings.kube_context,
                client_configuration=configuration,
                persist_config=False,
            )
    except config.ConfigException as exc:
        raise SettingsError(f"The operator cannot log in to the cluster: {exc}") from exc
    return configuration


class HomeCluster:
    """The cluster of the resources.

    Its methods raise ``InvalidConfig`` with the cluster's words for what it refuses, which people
    have to mend, and ``Unavailable`` while it cannot answer.
    """

    def __init__(self, configuration: Configuration) -> None:
        from kubernetes.client import ApiClient, ApiException, CoreV1Api, CustomObjectsApi

        self._client = ApiClient(configuration)
        self._secrets: Any = CoreV1Api(self._client)
        self._objects: Any = CustomObjectsApi(self._client)
        self._fault = ApiException

    def require_definition(self) -> None:
        """
        Raises:
            SettingsError: the cluster does not know Receivers.
        """
        try:
            known = self._objects.get_api_resources(GROUP, VERSION, _request_timeout=TIMEOUT)
        except self._fault as exc:
            if exc.status != MISSING:
                raise
            known = None
        if known is None or PLURAL not in {each.name for each in known.resources}:
            raise SettingsError(
                f"The cluster knows no {PLURAL}.{GROUP}: run "
                "'webhook-service operator definition | kubectl apply -f -' first."
            )

    def is_newest(self, resource: CustomReceiver) -> bool:
        """Whether nobody has changed, replaced or deleted a resource since it was read."""
        where = (GROUP, VERSION, resource.namespace, PLURAL, resource.name)
        try:
            with self._told():
                found = self._objects.get_namespaced_custom_object(*where, _request_timeout=TIMEOUT)
        except self._fault:
            return False
        about = found["metadata"]
        return (about["uid"], about.get("generation", 0)) == (resource.uid, resource.generation)

    def read_secret(self, namespace: str, reference: Mapping[str, Any]) -> str:
        """The text that a ``secretRef`` names: by a Secret's name, and a key of it.

        Raises:
            InvalidConfig: there is none.
        """
        if set(reference) != {"name", "key"}:
            raise no_reference("the name and the key of a Secret")
        name, key = reference["name"], reference["key"]
        data = self._data(namespace, name)
        if data is None:
            raise InvalidConfig(f"secretRef: namespace {namespace} has no Secret {name}.")
        if key not in data:
            raise InvalidConfig(f"secretRef: the Secret {name} has no key {key}.")
        try:
            # Editors and `kubectl create secret --from-file` leave a line break at the end.
            text = b64decode(data[key]).decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError as exc:
            raise InvalidConfig(
                f"secretRef: the key {key} of Secret {name} holds no text."
            ) from exc
        if not text:
            raise InvalidConfig(f"secretRef: the key {key} of Secret {name} is empty.")
        return text

    def keep_url(self, owner: CustomReceiver, url: str) -> None:
        """Write a receiver's URL into the Secret of its resource, which ends with the resource.

        Raises:
            InvalidConfig: there is a Secret of this name that is not the resource's own.
        """
        name, namespace, said = owner.url_secret, owner.namespace, {"stringData": {"url": url}}
        found = self._find(namespace, name)
        if found is not None:
            if owner.uid not in {each.uid for each in found.metadata.owner_references or ()}:
                raise InvalidConfig(
                    f"The Secret {name} is somebody else's, and the URL would go there: "
                    "rename or delete it."
                )
            if b64decode((found.data or {}).get("url", "")) != url.encode():
                self._change(namespace, name, said)
            return
        about = {"name": name, "ownerReferences": [owner.reference]}
        body = {"metadata": about, **said}
        # Another replica may have made it, with the same URL.
        with suppress(self._fault), self._told(but=CONFLICT):
            self._secrets.create_namespaced_secret(namespace, body, _request_timeout=TIMEOUT)

    def _change(self, namespace: str, name: str, said: Mapping[str, Any]) -> None:
        # Somebody may have deleted it meanwhile; the next look makes it anew.
        with suppress(self._fault), self._told():
            self._secrets.patch_namespaced_secret(name, namespace, said, _request_timeout=TIMEOUT)

    def _data(self, namespace: str, name: str) -> dict[str, str] | None:
        found = self._find(namespace, name)
        return None if found is None else found.data or {}

    def _find(self, namespace: str, name: str) -> Any:
        try:
            with self._told():
                return self._secrets.read_namespaced_secret(
                    name, namespace, _request_timeout=TIMEOUT
                )
        except self._fault:
            return None

    @contextmanager
    def _told(self, but: int = MISSING) -> Iterator[None]:
        """Let what the cluster answers be told to people, but for a status that the caller knows.

        Raises:
            InvalidConfig: it refuses, until somebody changes something there.
            Unavailable: it does not answer, or not now.
        """
        from urllib3.exceptions import HTTPError

        try:
            yield
        except self._fault as exc:
            if exc.status == but:
                raise
            if exc.status in REFUSED:
                raise InvalidConfig(f"The cluster refuses the operator: {_words(exc)}") from exc
            raise Unavailable(f"The cluster cannot answer now: {_words(exc)}") from exc
        except HTTPError as exc:
            raise Unavailable(f"The cluster does not answer: {type(exc).__name__}.") from exc


def _words(fault: Any) -> str:
    """What an API server said, as far as it said something."""
    try:
        said = json.loads(fault.body)["message"]
    except (TypeError, ValueError, KeyError):
        said = fault.reason
    return f"{str(said)[:1000]} (status {fault.status})."
