"""The part of a config that says which workload a driver changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from webhook_drivers.kubernetes.api.resources import Address, Resource, is_built_in
from webhook_drivers.kubernetes.images.workloads import WORKLOADS, Workload
from webhook_service import DriverConfig, DriverError

# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
DnsLabel = Annotated[str, Field(max_length=63, pattern=rf"^{_LABEL}$")]
DnsSubdomain = Annotated[str, Field(max_length=253, pattern=rf"^{_LABEL}(\.{_LABEL})*$")]
Kind = Annotated[str, Field(max_length=63, pattern=r"^[A-Z][A-Za-z0-9]*$")]
ApiVersion = Annotated[
    str, Field(max_length=300, pattern=rf"^{_LABEL}(\.{_LABEL})*/v[a-z0-9]{{1,30}}$")
]
FieldPath = Annotated[
    str, Field(max_length=200, pattern=r"^[A-Za-z][A-Za-z0-9]*(\.[A-Za-z][A-Za-z0-9]*){0,9}$")
]
# https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
_WORD = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
LabelKey = Annotated[str, Field(max_length=317, pattern=rf"^({_LABEL}(\.{_LABEL})*/)?{_WORD}$")]
LabelValue = Annotated[str, Field(pattern=rf"^({_WORD})?$")]


def one_of(*names: str) -> JsonDict:
    """The rule of a JSON Schema that exactly one of some fields is given; null is none."""
    return {
        "oneOf": [
            {"required": [name], "properties": {name: {"not": {"type": "null"}}}} for name in names
        ]
    }


class ClusterConfig(DriverConfig):
    """Which cluster a driver works on."""

    cluster: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        description="The kubeconfig context of the cluster; without it the service's own cluster.",
    )


class WorkloadTarget(ClusterConfig):
    """One workload of one cluster, or all of a kind and namespace that carry some labels."""

    model_config = ConfigDict(
        json_schema_extra={
            **one_of("name", "selector"),
            "dependentRequired": {"apiVersion": ["plural"], "plural": ["apiVersion"]},
        }
    )

    namespace: DnsLabel = Field(description="The namespace of the workload.")
    name: DnsSubdomain | None = Field(
        default=None, description="The name of the workload; without it `selector` chooses."
    )
    selector: Mapping[LabelKey, LabelValue] | None = Field(
        default=None,
        min_length=1,
        max_length=20,
        description="Instead of `name`: all workloads of the kind in the namespace with these "
        "labels, up to 200.",
    )
    kind: Kind = Field(
        default="Deployment",
        description="What the workload is: Deployment, StatefulSet, DaemonSet, CronJob, or a "
        "custom kind, with `apiVersion` and `plural`.",
    )
    api_version: ApiVersion | None = Field(
        default=None, description="Of a custom kind: its group and version, `example.com/v1`."
    )
    plural: DnsLabel | None = Field(
        default=None, description="Of a custom kind: its name in paths, such as `rollouts`."
    )
    pod_template: FieldPath = Field(
        default="spec.template",
        description="Of a custom kind: where its pod template is.",
    )

    @model_validator(mode="after")
    def _says_one_target(self) -> Self:
        if (self.name is None) == (self.selector is None):
            raise ValueError("say the workload's `name`, or a `selector` of labels")
        if (self.api_version is None) != (self.plural is None):
            raise ValueError("a custom kind needs both `apiVersion` and `plural`")
        if self.api_version is None and self.kind not in WORKLOADS:
            known = ", ".join(WORKLOADS)
            raise ValueError(
                f"{self.kind} is none of {known}: a custom kind needs `apiVersion` and `plural`"
            )
        return self

    def refuse_built_in(self) -> None:
        """
        Raises:
            DriverError: a kind of Kubernetes is said to be a custom one, with another place for its
                pods, other patches and another record of its pushes. Configs of 0.1.0 may say it.
        """
        if self.api_version is None or not is_built_in(self.api_version.partition("/")[0]):
            return
        instead = (
            f"leave `apiVersion` and `plural` out for a {self.kind}"
            if self.kind in WORKLOADS
            else f"name the {', '.join(WORKLOADS)} or custom kind that owns the {self.kind}"
        )
        raise DriverError(
            f"apiVersion: {self.api_version} is of Kubernetes itself and has no custom kinds: "
            f"{instead}.",
            code="built_in_kind",
        )

    @property
    def workload(self) -> Workload:
        if self.api_version is None or self.plural is None:
            return WORKLOADS[self.kind]
        group, _, version = self.api_version.partition("/")
        resource = Resource(self.kind, group, version, self.plural)
        return Workload(resource, tuple(self.pod_template.split(".")), custom=True)

    @property
    def address(self) -> Address:
        """The workload of the name; with a selector, the kind in the namespace."""
        return Address(self.workload.resource, self.namespace, self.name or "")

    @property
    def label_selector(self) -> str:
        """The selector as the API takes it: ``app=shop,tier=web``."""
        return label_selector(self.selector or {})


def label_selector(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
