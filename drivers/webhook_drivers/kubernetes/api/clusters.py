"""Clusters by name: the only importer of the official Kubernetes client."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.config_files import (
    ConfigFiles,
    kubeconfigs,
    referenced,
    run_plugins,
)
from webhook_drivers.kubernetes.api.credential_plugins import PLUGIN_SECONDS, Patience, plugin_words
from webhook_drivers.kubernetes.api.faults import cut
from webhook_drivers.kubernetes.api.grants import Grants
from webhook_drivers.kubernetes.api.transport import CONNECT_TIMEOUT, TIMEOUT, Transport
from webhook_drivers.kubernetes.events.writer import EventWriter
from webhook_service import DriverError, Retry

if TYPE_CHECKING:
    from kubernetes.client import Configuration

POOL_SIZE = 32
DRAIN_SECONDS = 3.0
DEFAULT_KUBECONFIG = "~/.kube/config"
TOKEN_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/token"

log = logging.getLogger(__name__)


class ClusterOptions(BaseModel):
    """How to reach one cluster.

    Attributes:
        in_cluster: use the account of the pod that this process runs in.
        account: the ServiceAccount of each target's namespace to act as.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    kubeconfig: str | None = None
    context: str | None = None
    in_cluster: bool = False
    account: str | None = None


class KubernetesOptions(BaseModel):
    """What these drivers read of the service's settings.

    Attributes:
        clusters: the only ones that receivers may name; without any they may name contexts.
        namespaces: see ``Grants``.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    kubeconfig: str | None = None
    kube_context: str | None = None
    clusters: Mapping[str, ClusterOptions] = Field(default_factory=dict)
    namespaces: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)

    def find(self, name: str | None) -> ClusterOptions:
        """The options of a cluster that a receiver names; without a name the default one.

        Raises:
            DriverError: there is none of this name.
        """
        if name and self.clusters:
            if name not in self.clusters:
                known = ", ".join(sorted(self.clusters))
                message = f"There is no cluster {name!r} here: name one of {known}."
                raise DriverError(message, code="cluster_unknown")
            return self.clusters[name]
        context = name or self.kube_context
        in_cluster = not self.kubeconfig and not context and _in_pod()
        return ClusterOptions(kubeconfig=self.kubeconfig, context=context, in_cluster=in_cluster)


class Clusters:
    """The clusters of one process: one connection pool and breaker each, made when used.

    Args:
        options: the service's driver options, see ``KubernetesOptions``; without a kubeconfig
            the cluster that this process runs in, else the default kubeconfig.
        plugin_seconds: how long to wait for a credential plug-in.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        connect_timeout: float = CONNECT_TIMEOUT,
        timeout: float = TIMEOUT,
        plugin_seconds: float = PLUGIN_SECONDS,
    ) -> None:
        self._options = KubernetesOptions.model_validate(dict(options))
        self._grants = Grants(self._options.namespaces)
        self._timeouts = (connect_timeout, timeout)
        self._plugin_seconds = plugin_seconds
        self._patience: dict[tuple[str, ClusterOptions], Patience] = {}
        # By name too: what a transport says of itself must not be another receiver's name.
        self._transports: dict[tuple[str, ClusterOptions], Transport] = {}
        self._locks: dict[tuple[str, ClusterOptions], Lock] = {}
        self._events: dict[tuple[str, ClusterOptions], EventWriter] = {}
        self._lock = Lock()

    def get(self, name: str | None = None, project: str = "", *, shared: bool = False) -> Cluster:
        """A cluster by name, in the name of a project; without a name the default one.

        Args:
            shared: whether other projects use the service too.

        Raises:
            DriverError: the client is not installed, or no such cluster is configured.
        """
        options = self._options.find(name)
        shown = self.shown(name)
        grant = self._grants.of(project, shown, shared=shared, default=name is None)
        transport = self._transport(shown, options)
        return Cluster(transport, grant, self._events_of(shown, options), options.account)

    @property
    def names(self) -> tuple[str, ...]:
        """The clusters that the operator names; the default one has no name."""
        return tuple(sorted(self._options.clusters))

    def shown(self, name: str | None) -> str:
        """The name of a cluster in grants and messages, also of the default one."""
        return name or self._options.kube_context or "default"

    def close(self) -> None:
        """Send the Events that wait, for three seconds at the most, and disconnect."""
        until = monotonic() + DRAIN_SECONDS
        for events in list(self._events.values()):
            events.close(max(0.0, until - monotonic()))
        with self._lock:
            for transport in self._transports.values():
                transport.close()
            self._transports.clear()

    def _transport(self, name: str, options: ClusterOptions) -> Transport:
        with self._lock:
            own = self._locks.setdefault((name, options), Lock())
        with own:
            known = self._transports.get((name, options))
            if known and not known.refused and not known.files.changed:
                return known
            made = self._connected(name, options, known)
            self._transports[name, options] = made
            if known and known is not made:
                known.close()
            return made

    def _events_of(self, name: str, options: ClusterOptions) -> EventWriter:
        """Kept over connections; it sends by the newest one."""
        with self._lock:
            if (name, options) not in self._events:
                self._events[name, options] = EventWriter(
                    name, lambda ask: self._transport(name, options).exchange(ask)
                )
            return self._events[name, options]

    def _connected(self, name: str, options: ClusterOptions, known: Transport | None) -> Transport:
        files = _files(options)
        try:
            return _connect(options, name, self._timeouts, files, self._patient(name, options))
        except DriverError as error:
            if known is None or known.refused:
                raise
            # It works as it is. Whoever writes the file may not have ended; then it changes again.
            log.warning("Cluster %s keeps what it was connected by: %s", name, error.message)
            known.files = files
            return known

    def _patient(self, name: str, options: ClusterOptions) -> Patience | None:
        """Kept over connections: a plug-in that hangs is not started again beside itself."""
        if options.in_cluster or not run_plugins(_kubeconfigs(options)):
            return None
        return self._patience.setdefault((name, options), Patience(name, self._plugin_seconds))


def _kubeconfigs(options: ClusterOptions) -> list[Path]:
    return kubeconfigs(options.kubeconfig or os.environ.get("KUBECONFIG") or DEFAULT_KUBECONFIG)


def _files(options: ClusterOptions) -> ConfigFiles:
    """All that a connection is made from, as it is now."""
    if options.in_cluster:
        return ConfigFiles.now([Path(TOKEN_FILE), Path(TOKEN_FILE).with_name("ca.crt")])
    paths = _kubeconfigs(options)
    return ConfigFiles.now([*paths, *referenced(paths)])


def _connect(
    options: ClusterOptions,
    name: str,
    timeouts: tuple[float, float],
    files: ConfigFiles,
    patience: Patience | None,
) -> Transport:
    try:
        from kubernetes.client import ApiClient, Configuration
    except ImportError as error:
        raise DriverError(
            "The Kubernetes client is not installed: "
            "run pip install 'webhook-service[kubernetes]'.",
            code="client_missing",
        ) from error
    configuration = Configuration()

    def load() -> list[str]:
        with plugin_words() as said:
            _load(configuration, options)
        return said

    if said := patience.call(load) if patience else load():
        # Not for ever: the plug-in asks somebody who may be away.
        raise Retry(
            f"The credential plug-in of cluster {name} failed: {said[-1]}", code="plugin_failed"
        )
    configuration.connection_pool_maxsize = POOL_SIZE
    # Said, not derived: renewing credentials sets the host again on every call, which would
    # look through the whole environment for proxies each time.
    configuration.proxy = configuration.proxy
    return Transport(ApiClient(configuration), name, *timeouts, files, patience)


def _load(configuration: Configuration, options: ClusterOptions) -> None:
    from kubernetes import config

    # The package's loaders carry no types.
    loaders: Any = config
    try:
        if options.in_cluster:
            loaders.load_incluster_config(client_configuration=configuration)
            return
        loaders.load_kube_config(
            config_file=options.kubeconfig,
            context=options.context,
            client_configuration=configuration,
            persist_config=False,
        )
    except Exception as error:
        where = f"context {options.context!r}" if options.context else "cluster"
        known = isinstance(error, loaders.ConfigException)
        # The message of a YAML error quotes the file, which holds credentials.
        why = cut(error) if known else type(error).__name__
        path = options.kubeconfig or "the default kubeconfig"
        message = f"No {where} can be used from {path}: {why}"
        raise DriverError(message, code="cluster_unknown") from error


def _in_pod() -> bool:
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and os.path.isfile(TOKEN_FILE)
