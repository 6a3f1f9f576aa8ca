"""Whether a second set of pods finds room beside the first: quotas, volumes and ports of nodes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.resources import Address, Json, Resource
from webhook_drivers.kubernetes.api.rights import Right
from webhook_drivers.kubernetes.images.workloads import dig
from webhook_service import DriverError, Retry

QUOTAS = Resource("ResourceQuota", "", "v1", "resourcequotas")
CLAIMS = Resource("PersistentVolumeClaim", "", "v1", "persistentvolumeclaims")
RIGHTS = (Right(QUOTAS, ("list",), optional=True), Right(CLAIMS, ("get",), optional=True))

# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
_QUANTITY = re.compile(r"([0-9.]+(?:[eE][-+]?[0-9]+)?)([numkKMGTPE]?i?)")
_POWERS = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {f"{unit}i": number for number, unit in enumerate("KMGTPE", 1)}


def refused(cluster: Cluster, obj: Json, target: Address, pods: int) -> list[str]:
    """A sentence for each quota that has no room for so many more pods of this template.

    None also without the right to list quotas. Quotas with scopes hold for some pods only: they
    are left to the cluster.
    """
    try:
        quotas = cluster.find(QUOTAS, target.namespace, cached=True)
    except Retry:
        raise
    except DriverError:
        return []
    needs = {name: each * pods for name, each in _needs(obj).items()}
    return [
        f"There is no room for a second set of pods: quota {item['metadata']['name']} has "
        f"{left} of {name} left, and {pods} more pods of {target} need {needs[name]}."
        for item in quotas
        if not any(key in dig(item, "spec") for key in ("scopes", "scopeSelector"))
        for name, left in _left(item)
        if name in needs and left < needs[name]
    ]


def warnings(cluster: Cluster, obj: Json, target: Address) -> list[str]:
    """What may keep a second set of pods from starting: it depends on the nodes."""
    spec = dig(obj, "spec", "template", "spec")
    return [*_ports(spec, target), *_volumes(cluster, spec, target)]


def _ports(spec: Json, target: Address) -> Iterator[str]:
    ports = sorted(
        port["hostPort"]
        for container in spec.get("containers") or ()
        for port in container.get("ports") or ()
        if port.get("hostPort")
    )
    if ports or spec.get("hostNetwork"):
        what = f"the port {ports[0]}" if ports else "the network"
        yield (
            f"The pods of {target} use {what} of their node, which has it once: a second set needs "
            "as many free nodes. Where there are fewer, use the strategy recreate."
        )


def _volumes(cluster: Cluster, spec: Json, target: Address) -> Iterator[str]:
    for volume in spec.get("volumes") or ():
        name = dig(volume, "persistentVolumeClaim").get("claimName")
        if name and (modes := _modes(cluster, Address(CLAIMS, target.namespace, str(name)))):
            yield (
                f"The pods of {target} share the volume claim {name}, which is {modes}: a second "
                "set starts only where the first one runs, if at all. Use the strategy recreate."
            )


def _modes(cluster: Cluster, claim: Address) -> str:
    """The access modes of a claim that pods of several nodes cannot share; else empty."""
    try:
        modes = dig(cluster.get(claim), "spec").get("accessModes") or ()
    except Retry:
        raise
    except DriverError:
        return ""
    alone = modes and all(mode in ("ReadWriteOnce", "ReadWriteOncePod") for mode in modes)
    return " and ".join(modes) if alone else ""


def _needs(obj: Json) -> Mapping[str, Decimal]:
    """What one pod counts against a quota, by the names of quotas."""
    found: dict[str, Decimal] = {"pods": Decimal(1), "count/pods": Decimal(1)}
    for container in dig(obj, "spec", "template", "spec").get("containers") or ():
        for kind in ("requests", "limits"):
            for name, said in dig(container, "resources", kind).items():
                key = f"{kind}.{name}"
                found[key] = found.get(key, Decimal(0)) + _number(said)
    plain = ((name, found.get(f"requests.{name}")) for name in ("cpu", "memory"))
    return found | {name: each for name, each in plain if each is not None}


def _left(quota: Json) -> Iterator[tuple[str, Decimal]]:
    used = dig(quota, "status", "used")
    for name, hard in dig(quota, "status", "hard").items():
        yield name, _number(hard) - _number(used.get(name, "0"))


def _number(said: object) -> Decimal:
    """A quantity; what cannot be read is none."""
    match = _QUANTITY.fullmatch(str(said).strip())
    if match is None:
        return Decimal(0)
    number, unit = Decimal(match[1]), match[2]
    return (
        number * 1024 ** _BINARY[unit] if unit in _BINARY else number.scaleb(_POWERS.get(unit, 0))
    )
