"""The driver ``resourceUpdate``: a push becomes values of fields of a custom resource."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from webhook_drivers.kubernetes.api.resources import (
    APPLICATIONS,
    HELM_RELEASES,
    KNATIVE_SERVICES,
    KUSTOMIZATIONS,
    Address,
    Resource,
    is_built_in,
)
from webhook_drivers.kubernetes.api.rights import CREATE_EVENTS, Right, missing
from webhook_drivers.kubernetes.drivers.base import ClusterDriver
from webhook_drivers.kubernetes.fields.push import FieldPush
from webhook_drivers.kubernetes.fields.update import FieldUpdate
from webhook_drivers.kubernetes.fields.values import ObjectPath
from webhook_drivers.kubernetes.images.containers import tag_of
from webhook_drivers.kubernetes.images.target_config import (
    ApiVersion,
    ClusterConfig,
    DnsLabel,
    DnsSubdomain,
    Kind,
)
from webhook_drivers.kubernetes.live.deployers import deployer, warning
from webhook_drivers.pushed import Template, WrittenImage
from webhook_service import (
    Context,
    DriverConfig,
    Interruption,
    Observed,
    Outcome,
    Plan,
    PushEvent,
)

KNOWN = {each.kind: each for each in (APPLICATIONS, HELM_RELEASES, KUSTOMIZATIONS)}
VERBS = ("get", "patch")


class ResourceUpdateConfig(ClusterConfig):
    """Which fields of which object a push sets."""

    model_config = ConfigDict(
        json_schema_extra={
            "dependentRequired": {"apiVersion": ["plural"], "plural": ["apiVersion"]}
        }
    )

    namespace: DnsLabel = Field(description="The namespace of the object.")
    name: DnsSubdomain = Field(description="The name of the object.")
    kind: Kind = Field(
        description="What it is: Application (Argo CD), HelmRelease or Kustomization (Flux), or "
        "any custom kind, with `apiVersion` and `plural`."
    )
    api_version: ApiVersion | None = Field(
        default=None, description="Of another kind: its group and version, `example.com/v1`."
    )
    plural: DnsLabel | None = Field(
        default=None, description="Of another kind: its name in paths, such as `applications`."
    )
    fields: Mapping[ObjectPath, Template] = Field(
        min_length=1,
        max_length=20,
        description="The value of each field by its path: {image}, {tag}, {digest}, …. {image} "
        "alone keeps the name as the object spells it.",
    )
    pin: bool = Field(
        default=True, description="Write the digest of the push beside the tag of {image}."
    )
    timeout_seconds: int = Field(
        default=600,
        ge=1,
        le=86400,
        description="How long its controller may take before the change counts as failed.",
    )
    rollback_on_failure: bool = Field(
        default=False, description="Set the values before again, if the change fails."
    )

    @field_validator("fields")
    @classmethod
    def _say_something_of_the_push(cls, fields: Mapping[str, str]) -> Mapping[str, str]:
        for path, template in fields.items():
            if "{" not in template:
                raise ValueError(f"{path} has no value of the push, such as {{image}} or {{tag}}")
        return fields

    @model_validator(mode="after")
    def _says_one_kind(self) -> Self:
        if (self.api_version is None) != (self.plural is None):
            raise ValueError("another kind needs both `apiVersion` and `plural`")
        if self.api_version is None and self.kind not in KNOWN:
            known = ", ".join(KNOWN)
            raise ValueError(
                f"{self.kind} is none of {known}: another kind needs `apiVersion` and `plural`"
            )
        if self.api_version and is_built_in(self.api_version.partition("/")[0]):
            raise ValueError(
                f"{self.api_version} is of Kubernetes itself: this driver sets fields of custom "
                "resources, and deploymentUpdate images of workloads"
            )
        return self

    @property
    def resource(self) -> Resource:
        if self.api_version is None or self.plural is None:
            return KNOWN[self.kind]
        group, _, version = self.api_version.partition("/")
        return Resource(self.kind, group, version, self.plural)

    @property
    def address(self) -> Address:
        return Address(self.resource, self.namespace, self.name)


class ResourceUpdate(ClusterDriver[ResourceUpdateConfig]):
    """Sets fields of any custom resource from a push, and follows its controller to the end."""

    Config: ClassVar[type[DriverConfig]] = ResourceUpdateConfig
    rights = (
        *(Right(each, VERBS) for each in (*KNOWN.values(), KNATIVE_SERVICES)),
        CREATE_EVENTS,
    )

    def targets(self, config: ResourceUpdateConfig, context: Context) -> tuple[str, ...]:
        return self.target(config, config.namespace, config.kind, config.name)

    def slot(self, config: ResourceUpdateConfig, event: PushEvent) -> str:
        where = f"{config.cluster or ''}/{config.namespace}/{config.resource.qualified}"
        return f"{where}/{config.name}/{event.reference.name}"

    def running(
        self, config: ResourceUpdateConfig, event: PushEvent, context: Context
    ) -> tuple[str, ...]:
        found = (tag_of(item.image) for item in self.observe(config, event, context))
        return tuple(tag for tag in found if tag)

    def observe(
        self, config: ResourceUpdateConfig, event: PushEvent, context: Context
    ) -> tuple[Observed, ...]:
        """What the fields say of the pushed repository."""
        push = _push(config, event, context)
        obj = self.cluster(config, context).get(config.address)
        record = push.record(obj)
        images = push.images(push.values(obj, config.fields))
        before = push.images(record.previous)
        ours = push.images(push.wanted(obj)) == images and bool(record.identity)
        return tuple(
            Observed(target=str(config.address), image=image, ours=ours, replaced=before.get(place))
            for place, image in images.items()
            if push.pushed.is_of(image)
        )

    def preview(self, config: ResourceUpdateConfig, event: PushEvent, context: Context) -> Plan:
        push = _push(config, event, context)
        obj = self.cluster(config, context).get(config.address)
        if held := push.held_back(obj):
            return Plan(notes=(held,))
        changes = push.changes(push.values(obj, config.fields), push.wanted(obj))
        if changes:
            return Plan(changes)
        return Plan(notes=(f"{config.address} already has {push.pushed.image}.",))

    def execute(self, config: ResourceUpdateConfig, event: PushEvent, context: Context) -> Outcome:
        return self._update(config, event, context).step()

    def interrupt(
        self,
        config: ResourceUpdateConfig,
        event: PushEvent,
        context: Context,
        why: Interruption,
    ) -> Outcome:
        return self._update(config, event, context).interrupt(why)

    def warnings(self, config: ResourceUpdateConfig, context: Context) -> tuple[str, ...]:
        found = deployer(self.cluster(config, context).get(config.address))
        return (warning(config.address, found),) if found else ()

    def problems(self, config: ResourceUpdateConfig, context: Context) -> Iterable[str]:
        cluster, address = self.cluster(config, context), config.address
        right = Right(address.resource, VERBS)
        if denied := missing(cluster, (right,), address.namespace, address.name):
            return denied
        cluster.get(address)
        return ()

    def _update(
        self, config: ResourceUpdateConfig, event: PushEvent, context: Context
    ) -> FieldUpdate:
        return FieldUpdate(
            cluster=self.cluster(config, context),
            push=_push(config, event, context),
            timeout=config.timeout_seconds,
            rollback=config.rollback_on_failure,
            now=self._now,
        )


def _push(config: ResourceUpdateConfig, event: PushEvent, context: Context) -> FieldPush:
    pushed = WrittenImage(event, context, config.pin)
    return FieldPush(address=config.address, fields=config.fields, pushed=pushed)
