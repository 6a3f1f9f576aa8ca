"""What an earlier push has left beside a Deployment, where the Deployment itself does not say it.

A Deployment that people delete and make anew has lost its mark, and marks of release 0.1.0 name no
Service. But what was moved can be told: a Service by its selector and its note, and a second
Deployment by its label. Nobody else writes them.
"""

from __future__ import annotations

from dataclasses import dataclass

from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.resources import SERVICES, Address, Json, Resource
from webhook_drivers.kubernetes.strategies.second import deployment, routing
from webhook_drivers.kubernetes.strategies.second.deployment import CANARY, COLOR, DEPLOYMENT, GREEN
from webhook_drivers.kubernetes.strategies.second.routing import Switch
from webhook_service import DriverError, Retry


@dataclass(frozen=True, slots=True)
class Traces:
    """What was found.

    Attributes:
        strategy: the one to tidy up by.
        services: the Service that it moves, then its preview if that is known.
    """

    strategy: str
    services: tuple[str, ...]


def find(cluster: Cluster, target: Address, main: Json, strategy: str = "") -> Traces | None:
    """Look for what is left; None also without the right to look.

    Args:
        main: people's Deployment, and ``target``: where it is.
        strategy: the one that its mark names; without it, that follows from what is found.
    """
    if target.resource != DEPLOYMENT.resource:
        return None
    services = [each for each in _all(cluster, SERVICES, target) if _is_of(each, target, main)]
    touched = [each for each in services if routing.is_touched(each)]
    noted = [each for each in touched if routing.is_noted(each)]
    colors = () if strategy else _colors(cluster, target)
    ours = noted or colors or any(COLOR in routing.narrowed(each) for each in touched)
    if not (services and (strategy or ours)):
        return None
    strategy = strategy or ("canary" if CANARY in colors else "blueGreen")
    # A canary leaves its Service as it is, and moves no more than the preview.
    whole = [each for each in services if each not in touched]
    first, *_ = (*whole, *touched) if strategy == "canary" else (*noted, *touched, *whole)
    others = [each for each in touched if each is not first]
    return Traces(strategy, tuple(each["metadata"]["name"] for each in (first, *others[:1])))


def _is_of(service: Json, target: Address, main: Json) -> bool:
    """Whether a Service, as its owner wrote it, sends to the pods of the Deployment."""
    named = Switch.read(service).target
    labels = deployment.labels_of_pods(main)
    return named in ("", target.name) and routing.accepts(routing.base(service), labels)


def _colors(cluster: Cluster, target: Address) -> tuple[str, ...]:
    """The second Deployments that are there."""
    known = {deployment.address(target, color).name: color for color in (GREEN, CANARY)}
    found = _all(cluster, target.resource, target, COLOR)
    return tuple(known[name] for each in found if (name := each["metadata"]["name"]) in known)


def _all(cluster: Cluster, resource: Resource, target: Address, key: str = "") -> tuple[Json, ...]:
    """All of a kind beside the target, with this label; none without the right to list them."""
    try:
        return cluster.find(resource, target.namespace, key, cached=True)
    except Retry:
        raise
    except DriverError:
        return ()
