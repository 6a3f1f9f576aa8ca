"""Who else writes a workload: what deploys it, and who set an image. Pure functions over its JSON.

A push to what another tool deploys lasts until that tool looks again. Labels, annotations and owner
references name the tool; ``managedFields`` names whoever wrote a field last.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from webhook_drivers.kubernetes.api.resources import Json
from webhook_drivers.kubernetes.api.transport import NAME
from webhook_drivers.kubernetes.images.workloads import LISTS, Workload, annotation, dig

# https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/
ARGO_CD_ID = "argocd.argoproj.io/tracking-id"
ARGO_CD_LABEL = "argocd.argoproj.io/instance"
# https://fluxcd.io/flux/components/kustomize/kustomizations/
KUSTOMIZATION = "kustomize.toolkit.fluxcd.io"
HELM_RELEASE = "helm.toolkit.fluxcd.io"
# https://helm.sh/docs/topics/charts_tips_and_tricks/ and the labels that Helm itself requires
MANAGED_BY = "app.kubernetes.io/managed-by"
INSTANCE = "app.kubernetes.io/instance"
RELEASE_NAME, RELEASE_NAMESPACE = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"

_BY_MANAGER: Mapping[str, str] = {
    "argocd-controller": "Argo CD",
    "argocd-application-controller": "Argo CD",
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
}


@dataclass(frozen=True, slots=True)
class Deployer:
    """A tool that keeps a workload as it is written down somewhere else.

    Attributes:
        name: ``Argo CD application shop``.
        does: what it does to an image that a push has set.
        instead: what people have to do so that the image stays.
    """

    name: str
    does: str
    instead: str


@dataclass(frozen=True, slots=True)
class Writer:
    """Who wrote a field last, by the name that it gives itself, and when."""

    name: str
    at: datetime | None = None

    @property
    def ours(self) -> bool:
        return self.name == NAME


def deployer(obj: Json) -> Deployer | None:
    """What deploys a workload, if its marks say so; the innermost one that sets images."""
    return next(_deployers(obj), None)


def warning(where: object, found: Deployer) -> str:
    """The sentence for people who let a receiver change what another tool deploys."""
    return f"{where} is managed by {found.name}, which {found.does}: {found.instead}."


def writer(workload: Workload, obj: Json, container: str) -> Writer | None:
    """Who set a container's image last, as far as the object says."""
    path = [f"f:{key}" for key in workload.template]
    found = [
        (str(entry.get("time") or ""), str(entry.get("manager") or ""))
        for entry in dig(obj, "metadata").get("managedFields") or ()
        if _sets_image(dig(entry.get("fieldsV1"), *path, "f:spec"), container)
    ]
    at, name = max(found, default=("", ""))
    return Writer(name[:128], _moment(at)) if name else None


def _deployers(obj: Json) -> Iterator[Deployer]:
    labels = dig(obj, "metadata", "labels")
    if name := _argo_cd(obj, labels):
        yield _of_argo_cd(f"Argo CD application {name}")
    if name := str(labels.get(f"{HELM_RELEASE}/name") or ""):
        where = f"{labels.get(f'{HELM_RELEASE}/namespace', '')}/{name}".lstrip("/")
        yield Deployer(
            f"Flux HelmRelease {where}",
            "sets the image back at its next upgrade, or sooner where it corrects drift",
            f"set the image in the values of HelmRelease {where}, or list the image in its "
            "spec.driftDetection.ignore and give the same image with each upgrade",
        )
    if name := str(labels.get(f"{KUSTOMIZATION}/name") or ""):
        where = f"{labels.get(f'{KUSTOMIZATION}/namespace', '')}/{name}".lstrip("/")
        yield _of_flux(f"Flux Kustomization {where}")
    yield from _owners(obj)
    if annotation(obj, RELEASE_NAME) or labels.get(MANAGED_BY) == "Helm":
        name = str(annotation(obj, RELEASE_NAME) or labels.get(INSTANCE) or "(not named)")
        yield Deployer(
            f"Helm release {name}",
            "sets the image of its values with the next helm upgrade",
            "give the pushed image with each upgrade too (helm upgrade --set), or leave upgrades "
            "to the pipeline that pushes",
        )
    for entry in dig(obj, "metadata").get("managedFields") or ():
        match _BY_MANAGER.get(entry.get("manager")):
            case "Argo CD":
                yield _of_argo_cd("Argo CD")
            case "Flux":
                yield _of_flux("Flux")


def _argo_cd(obj: Json, labels: Json) -> str:
    tracked = (annotation(obj, ARGO_CD_ID) or "").partition(":")[0]
    return tracked or str(labels.get(ARGO_CD_LABEL) or "")


def _of_argo_cd(name: str) -> Deployer:
    return Deployer(
        name,
        "sets the image back to the one in Git when it syncs, at once where self-heal is on",
        "commit the image to Git instead, or add the image to the application's "
        "spec.ignoreDifferences, with the sync option RespectIgnoreDifferences=true",
    )


def _of_flux(name: str) -> Deployer:
    return Deployer(
        name,
        "sets the image back to the one in Git at its next reconciliation",
        "commit the image to Git instead, or take the object out of Flux's hands with the "
        f"annotation {KUSTOMIZATION}/reconcile: disabled",
    )


def _owners(obj: Json) -> Iterator[Deployer]:
    """Whoever controls the object, such as an operator with a resource of its own.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/owners-dependents/
    """
    for owner in dig(obj, "metadata").get("ownerReferences") or ():
        if owner.get("controller"):
            name = f"{owner.get('kind')} {owner.get('name')}"
            yield Deployer(
                name,
                "sets the image back when its controller looks again",
                f"let the receiver, or a person, change the image in {name} instead",
            )


def _sets_image(pod: Json, container: str) -> bool:
    """Whether a manager's fields have the image; of custom kinds it owns a list as a whole."""
    key = f"k:{json.dumps({'name': container}, separators=(',', ':'))}"
    lists = (f"f:{name}" for name, _ in LISTS)
    return any(pod.get(name) == {} or "f:image" in dig(pod, name, key) for name in lists)


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
