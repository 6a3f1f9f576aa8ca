"""Argo CD, Flux and Knative, as much of them as a push meets: their kinds, and small stand-ins.

The schemas are structural and follow the CRDs of the projects, cut down to what tests use:
https://github.com/argoproj/argo-cd/blob/master/manifests/crds/application-crd.yaml
https://github.com/fluxcd/helm-controller/tree/main/config/crd/bases
https://github.com/fluxcd/kustomize-controller/tree/main/config/crd/bases
https://github.com/knative/serving/blob/main/config/core/300-resources/service.yaml
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import yaml

from tests.contract.client import MERGE, Client, eventually
from tests.contract.manifests import resource
from tests.servers.git import Bare

Json = dict[str, Any]
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NOT_FOUND = 404
TEXT, NUMBER, FLAG = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
NOW = "2026-11-26T12:00:00Z"


def obj(*required: str, **properties: Any) -> Json:
    found: Json = {"type": "object", "properties": properties}
    return found | ({"required": list(required)} if required else {})


def many(items: Json) -> Json:
    return {"type": "array", "items": items}


CONDITIONS = many(
    obj(
        "type", "status", type=TEXT, status=TEXT, reason=TEXT, message=TEXT, lastTransitionTime=TEXT
    )
)
OBSERVED = obj(observedGeneration=NUMBER, conditions=CONDITIONS)
SOURCE = obj(
    "repoURL",
    repoURL=TEXT,
    path=TEXT,
    targetRevision=TEXT,
    chart=TEXT,
    kustomize=obj(images=many(TEXT), namePrefix=TEXT),
    helm=obj(
        parameters=many(obj(name=TEXT, value=TEXT, forceString=FLAG)), values=TEXT, releaseName=TEXT
    ),
)
DESTINATION = obj(server=TEXT, namespace=TEXT, name=TEXT)
APPLICATION = obj(
    "spec",
    spec=obj(
        *("destination", "project"),
        project=TEXT,
        source=SOURCE,
        destination=DESTINATION,
        syncPolicy=ANYTHING,
    ),
    status=obj(
        sync=obj(
            "status",
            status=TEXT,
            revision=TEXT,
            comparedTo=obj(source=SOURCE, destination=DESTINATION),
        ),
        health=obj(status=TEXT, message=TEXT),
        operationState=obj(
            "phase", phase=TEXT, message=TEXT, syncResult=obj(revision=TEXT, source=SOURCE)
        ),
    ),
)
REFERENCE = obj("kind", "name", kind=TEXT, name=TEXT, namespace=TEXT)
HELM_RELEASE = obj(
    spec=obj(
        "interval",
        interval=TEXT,
        chart=obj(spec=obj("chart", "sourceRef", chart=TEXT, version=TEXT, sourceRef=REFERENCE)),
        values=ANYTHING,
    ),
    status=OBSERVED,
)
KUSTOMIZATION = obj(
    spec=obj(
        "interval",
        "prune",
        "sourceRef",
        interval=TEXT,
        path=TEXT,
        prune=FLAG,
        wait=FLAG,
        targetNamespace=TEXT,
        sourceRef=REFERENCE,
        images=many(obj("name", name=TEXT, newName=TEXT, newTag=TEXT, digest=TEXT)),
    ),
    status=obj(
        observedGeneration=NUMBER,
        conditions=CONDITIONS,
        lastAppliedRevision=TEXT,
        lastAttemptedRevision=TEXT,
    ),
)
GIT_REPOSITORIES = obj(spec=ANYTHING, status=ANYTHING)
CONTAINERS = many(obj("image", name=TEXT, image=TEXT, env=many(obj("name", name=TEXT, value=TEXT))))
KNATIVE_SERVICE = obj(
    spec=obj(template=obj(metadata=ANYTHING, spec=obj(containers=CONTAINERS))), status=OBSERVED
)


@dataclass(frozen=True)
class Tool:
    """A kind of a project, an object of it, and how a push writes there.

    Attributes:
        fields: of the driver's config; ``wrote`` is what the first one has after a push of 2.
        looks: what the controller says step by step, from the object as it is.
    """

    kind: str
    api_version: str
    plural: str
    schema: Json
    spec: Json
    fields: Mapping[str, str]
    before: str
    wrote: str
    looks: Callable[[Json, bool], list[Json]]

    @property
    def definition(self) -> Json:
        group, _, version = self.api_version.partition("/")
        subresources: Json = {} if self.kind == "Application" else {"status": {}}
        served = {"name": version, "served": True, "storage": True, "subresources": subresources}
        served["schema"] = {"openAPIV3Schema": self.schema}
        names = {"plural": self.plural, "kind": self.kind, "singular": self.kind.lower()}
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{self.plural}.{group}"},
            "spec": {
                "group": group,
                "scope": "Namespaced",
                "names": names | {"listKind": f"{self.kind}List"},
                "versions": [served],
            },
        }

    def manifest(self, namespace: str, name: str = "shop") -> Json:
        return {
            "apiVersion": self.api_version,
            "kind": self.kind,
            "metadata": {"name": name, "namespace": namespace},
            "spec": self.spec,
        }

    def config(self, namespace: str, name: str = "shop", **more: Any) -> Json:
        where = {"namespace": namespace, "name": name, "kind": self.kind, "timeoutSeconds": 20}
        kind = {"apiVersion": self.api_version, "plural": self.plural}
        return where | kind | {"fields": dict(self.fields)} | more


def argo_looks(found: Json, well: bool, revision: str = "a" * 40) -> list[Json]:
    """It compares, syncs, and sees how the workloads are."""
    source = found["spec"]["source"]
    compared = {"source": source, "destination": found["spec"]["destination"]}
    sync = {"comparedTo": compared, "revision": revision}
    result = {"revision": revision, "source": source}
    done = {"phase": "Succeeded", "syncResult": result}
    health = "Healthy" if well else "Degraded"
    return [
        {"sync": sync | {"status": "OutOfSync"}},
        {
            "sync": sync | {"status": "Synced"},
            "operationState": done,
            "health": {"status": "Progressing"},
        },
        {"health": {"status": health}},
    ]


def conditions(found: Json, **said: str) -> Json:
    listed = [
        {"type": name, "status": status, "reason": "Why", "message": "because"}
        | {"lastTransitionTime": NOW}
        for name, status in said.items()
    ]
    return {"observedGeneration": found["metadata"]["generation"], "conditions": listed}


def flux_looks(found: Json, well: bool) -> list[Json]:
    going = conditions(found, Ready="Unknown", Reconciling="True")
    ended = (
        conditions(found, Ready="True")
        if well
        else conditions(found, Ready="False", Stalled="True")
    )
    return [going, ended]


def knative_looks(found: Json, well: bool) -> list[Json]:
    going = conditions(found, ConfigurationsReady="Unknown", Ready="Unknown")
    return [going, conditions(found, Ready="True" if well else "False")]


def _application(source: Json) -> Json:
    destination = {"server": "https://kubernetes.default.svc", "namespace": "shop"}
    source = {"repoURL": "https://git.example/acme/deploy", "path": "shop"} | source
    return {"project": "default", "destination": destination, "source": source}


ARGO_KUSTOMIZE = Tool(
    "Application",
    "argoproj.io/v1alpha1",
    "applications",
    APPLICATION,
    _application({"kustomize": {"images": ["acme/other:7", "shop=acme/shop:1"]}}),
    {"spec.source.kustomize.images[{image}]": "{image}"},
    "shop=acme/shop:1",
    "shop=acme/shop:2",
    argo_looks,
)
ARGO_HELM = Tool(
    "Application",
    "argoproj.io/v1alpha1",
    "applications",
    APPLICATION,
    _application(
        {
            "helm": {
                "parameters": [{"name": "replicas", "value": "3"}, {"name": "tag", "value": "1"}]
            }
        }
    ),
    {"spec.source.helm.parameters[name=tag].value": "{tag}"},
    "1",
    "2",
    argo_looks,
)
FLUX_HELM = Tool(
    "HelmRelease",
    "helm.toolkit.fluxcd.io/v2",
    "helmreleases",
    HELM_RELEASE,
    {
        "interval": "5m",
        "chart": {
            "spec": {"chart": "shop", "sourceRef": {"kind": "HelmRepository", "name": "acme"}}
        },
        "values": {"image": {"repository": "acme/shop", "tag": "1"}, "replicas": 2},
    },
    {"spec.values.image.tag": "{tag}"},
    "1",
    "2",
    flux_looks,
)
FLUX_KUSTOMIZE = Tool(
    "Kustomization",
    "kustomize.toolkit.fluxcd.io/v1",
    "kustomizations",
    KUSTOMIZATION,
    {
        "interval": "5m",
        "prune": True,
        "sourceRef": {"kind": "GitRepository", "name": "deploy"},
        "images": [{"name": "acme/db", "newTag": "9"}, {"name": "acme/shop", "newTag": "1"}],
    },
    {"spec.images[name=acme/shop].newTag": "{tag}"},
    "1",
    "2",
    flux_looks,
)
KNATIVE = Tool(
    "Service",
    "serving.knative.dev/v1",
    "services",
    KNATIVE_SERVICE,
    {"template": {"spec": {"containers": [{"name": "app", "image": "acme/shop:1"}]}}},
    {"spec.template.spec.containers[name=app].image": "{image}"},
    "acme/shop:1",
    "acme/shop:2",
    knative_looks,
)
GIT_REPOSITORY = Tool(
    "GitRepository",
    "source.toolkit.fluxcd.io/v1",
    "gitrepositories",
    GIT_REPOSITORIES,
    {},
    {},
    "",
    "",
    flux_looks,
)
TOOLS = {
    "argo-kustomize": ARGO_KUSTOMIZE,
    "argo-helm": ARGO_HELM,
    "flux-helm": FLUX_HELM,
    "flux-kustomize": FLUX_KUSTOMIZE,
    "knative": KNATIVE,
}


@dataclass
class Controller:
    """What follows the objects of a tool in one namespace, step by step.

    Attributes:
        well: whether the changes of now end well.
    """

    client: Client
    namespace: str
    tool: Tool
    well: Callable[[Json], bool] = lambda found: True
    left: dict[str, list[Json]] = field(default_factory=dict)
    seen: dict[str, object] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return resource(self.tool.api_version, self.tool.plural, self.namespace)

    def follow(self, name: str = "shop") -> bool:
        """Do the next step for an object, if there is one."""
        argo = self.tool.kind == "Application"
        found = self.client.ok("GET", f"{self.path}/{name}")
        # Each status of an Application is a new generation: it has no subresource.
        version = found["spec"] if argo else found["metadata"]["generation"]
        if version != self.seen.get(name):
            self.seen[name] = version
            self.left[name] = self.tool.looks(found, self.well(found))
        if not self.left[name]:
            return False
        sub = "" if argo else "/status"
        status = {"status": self.left[name].pop(0)}
        self.client.ok("PATCH", f"{self.path}/{name}{sub}", status, MERGE)
        return True

    def settle(self, name: str = "shop") -> None:
        while self.follow(name):
            pass


@contextmanager
def controlled(kubeconfig: Path, namespace: str, tool: Tool) -> Iterator[Controller]:
    """A controller that follows by itself."""
    with Client(kubeconfig) as client:
        controller, ended = Controller(client, namespace, tool), Event()

        def work() -> None:
            while not ended.wait(0.02):
                for item in client.ok("GET", controller.path)["items"]:
                    controller.follow(item["metadata"]["name"])

        thread = Thread(target=work)
        thread.start()
        try:
            yield controller
        finally:
            ended.set()
            thread.join()


@contextmanager
def defined(client: Client, tools: Iterable[Tool]) -> Iterator[None]:
    """The kinds of tools, served until the end."""
    made = list({tool.kind: tool for tool in tools}.values())
    paths = [resource(tool.api_version, tool.plural, "default") for tool in made]
    for tool in made:
        client.ok("POST", DEFINITIONS, tool.definition)
    for path in paths:
        eventually(lambda path=path: client.send("GET", path).code == 200)  # type: ignore[misc]
    yield
    for tool in made:
        client.ok("DELETE", f"{DEFINITIONS}/{tool.definition['metadata']['name']}")
    for path in paths:
        eventually(lambda path=path: client.send("GET", path).code == 404)  # type: ignore[misc]


@dataclass
class Syncer:
    """What brings the newest commit of ``main`` into one object, step by step.

    Attributes:
        path: of the object's own manifest in the repository, if it has one there.
    """

    client: Client
    namespace: str
    tool: Tool
    bare: Bare
    path: str = ""
    name: str = "shop"
    synced: str = ""

    def follow(self) -> None:
        """Do what there is to do; the object may not be there yet."""
        where = f"{resource(self.tool.api_version, self.tool.plural, self.namespace)}/{self.name}"
        head, answer = self.bare.head(), self.client.send("GET", where)
        if head == self.synced or answer.code == NOT_FOUND:
            return
        if self.path:
            spec = yaml.safe_load(self.bare.read(self.path))["spec"]
            self.client.ok("PATCH", where, {"spec": spec}, MERGE)
        argo = self.tool.kind == "Application"
        found = self.client.ok("GET", where)
        looks = argo_looks(found, True, head) if argo else self._flux(found, head)
        for status in looks:
            self.client.ok("PATCH", where if argo else f"{where}/status", {"status": status}, MERGE)
        self.synced = head

    def _flux(self, found: Json, head: str) -> list[Json]:
        going, ended = self.tool.looks(found, True)
        if self.tool.kind != "Kustomization":
            return [going, ended]
        revision = f"main@sha1:{head}"
        done = {"lastAttemptedRevision": revision, "lastAppliedRevision": revision}
        return [going | {"lastAttemptedRevision": revision}, ended | done]


@contextmanager
def syncing(
    kubeconfig: Path, namespace: str, tool: Tool, bare: Bare, path: str = ""
) -> Iterator[None]:
    """A tool that follows ``main`` by itself."""
    with Client(kubeconfig) as client:
        syncer, ended = Syncer(client, namespace, tool, bare, path), Event()

        def work() -> None:
            while not ended.wait(0.1):
                syncer.follow()

        thread = Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
