"""Custom resources: what a ``CustomResourceDefinition`` adds to the API.

The definitions of the kinds that the shipped drivers know are here for tests: ``definition``
gives a manifest for ``FakeCluster.apply``, or for a real server.
"""

from __future__ import annotations

from collections.abc import Iterator

from webhook_service.testing.fake_cluster.objects.objects import ObjectStore
from webhook_service.testing.fake_cluster.objects.resources import DEFINITIONS, Object, Resource

# Group and version, plural and kind of the CRDs, as their projects publish them.
KNOWN = {
    "MachineDeployment": ("cluster.x-k8s.io/v1beta1", "machinedeployments"),
    "Rollout": ("argoproj.io/v1alpha1", "rollouts"),
    "Canary": ("flagger.app/v1beta1", "canaries"),
    "Application": ("argoproj.io/v1alpha1", "applications"),
    "Kustomization": ("kustomize.toolkit.fluxcd.io/v1", "kustomizations"),
    "HelmRelease": ("helm.toolkit.fluxcd.io/v2", "helmreleases"),
}
SCALED = ("MachineDeployment", "Rollout")
OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
SCALE = {
    "specReplicasPath": ".spec.replicas",
    "statusReplicasPath": ".status.replicas",
    "labelSelectorPath": ".status.selector",
}


def definition(kind: str) -> Object:
    """The definition of a known kind, with the subresources that it has.

    Args:
        kind: ``MachineDeployment`` (Cluster API), ``Rollout`` and ``Application`` (Argo),
            ``Canary`` (Flagger), ``Kustomization`` or ``HelmRelease`` (Flux).

    Raises:
        KeyError: another kind.
    """
    api_version, plural = KNOWN[kind]
    group, _, version = api_version.partition("/")
    subresources: Object = {} if kind == "Application" else {"status": {}}
    subresources |= {"scale": SCALE} if kind in SCALED else {}
    served = {"name": version, "served": True, "storage": True, "subresources": subresources}
    served["schema"] = {"openAPIV3Schema": OPEN}
    names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
    return {
        "apiVersion": DEFINITIONS.api_version,
        "kind": DEFINITIONS.kind,
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [served]},
    }


def resources(store: ObjectStore) -> tuple[Resource, ...]:
    """The custom resources that are defined now."""
    return tuple(found for item in store.all(DEFINITIONS) for found in served_by(item))


def served_by(item: Object) -> Iterator[Resource]:
    """The resources of one definition: one for each version that is served."""
    spec = item["spec"]
    for version in spec["versions"]:
        if version["served"]:
            offered = version.get("subresources") or {}
            yield Resource(
                f"{spec['group']}/{version['name']}",
                spec["names"]["plural"],
                spec["names"]["kind"],
                namespaced=spec["scope"] == "Namespaced",
                status="status" in offered,
                scale="scale" in offered,
                generation=True,
                custom=True,
                schema=version["schema"]["openAPIV3Schema"],
            )


def establish(item: Object) -> None:
    """Fills in what the server says of a definition that it accepts."""
    conditions = [
        {"type": kind, "status": "True", "reason": reason, "message": message}
        for kind, reason, message in (
            ("NamesAccepted", "NoConflicts", "no conflicts found"),
            ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        )
    ]
    stored = [version["name"] for version in item["spec"]["versions"] if version["storage"]]
    names = {"acceptedNames": item["spec"]["names"], "storedVersions": stored}
    item["status"] = {"conditions": conditions, **names}
