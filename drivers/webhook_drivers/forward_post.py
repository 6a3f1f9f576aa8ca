"""The driver ``forwardPost``: a call is passed on to a Service inside the cluster."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from functools import cached_property
from ipaddress import ip_network
from typing import Annotated, ClassVar, Literal

from pydantic import Field, SecretStr, StringConstraints, field_validator

from webhook_drivers.forwarding import (
    EVENT_HEADERS,
    Letter,
    Network,
    ServicePort,
    cluster_address,
    judged,
    letter,
    port_number,
    send_direct,
    send_proxied,
    signed,
    signing_key,
)
from webhook_drivers.kubernetes.api.resources import SERVICES
from webhook_drivers.kubernetes.api.rights import Right, missing
from webhook_drivers.kubernetes.drivers.base import ClusterDriver
from webhook_drivers.kubernetes.images.target_config import ClusterConfig, DnsLabel
from webhook_service import (
    Context,
    DriverConfig,
    Outcome,
    Plan,
    PushEvent,
    Request,
    Secret,
    is_private_header,
)
from webhook_service.failpoints import failpoint

# No percent signs: an encoded slash or dot could lead out of the Service's part of a URL.
Path = Annotated[str, Field(max_length=1024, pattern=r"^[A-Za-z0-9._~!$&'()*+,;=:@/-]*$")]
Port = Annotated[str, Field(max_length=15, pattern=r"^([0-9]{1,5}|[a-z0-9]([-a-z0-9]*[a-z0-9])?)$")]

HeaderName = Annotated[
    str, StringConstraints(to_lower=True, max_length=64, pattern=r"^[A-Za-z0-9-]+$")
]


class ForwardPostConfig(ClusterConfig):
    """Which Service gets the calls, and how."""

    project_id: DnsLabel = Field(description="The namespace of the Service.")
    service_name: DnsLabel = Field(description="The Service.")
    port: Port = Field(description="A port of the Service, by number or name.")
    path: Path = Field(default="", description="The path to call; the call's query is appended.")
    via: Literal["proxy", "direct"] = Field(
        default="proxy",
        description="Through the API server's proxy, or directly to the Service's address in the "
        "cluster's network.",
    )
    headers: tuple[HeaderName, ...] = Field(
        default=EVENT_HEADERS,
        max_length=50,
        description="The headers that the Service gets beside those that say what the body is. "
        "Default: those by which known senders name and sign an event.",
    )
    signing_secret: Secret | None = Field(
        default=None,
        description="whsec_ and 24 to 64 bytes in base64: signs each call by Standard Webhooks.",
    )
    timeout_seconds: int = Field(
        default=10, ge=1, le=25, description="How long the Service may take to answer."
    )

    @field_validator("path")
    @classmethod
    def _stays_below(cls, path: str) -> str:
        if {".", ".."} & set(path.split("/")):
            raise ValueError("must have no . and .. in it")
        return path

    @field_validator("headers")
    @classmethod
    def _none_private(cls, headers: tuple[str, ...]) -> tuple[str, ...]:
        private = [name for name in headers if is_private_header(name) or name == "webhook-id"]
        if private:
            raise ValueError(f"{private[0]} is never passed on: leave it out")
        return headers

    @field_validator("signing_secret")
    @classmethod
    def _is_key(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            signing_key(secret.get_secret_value())
        return secret

    @property
    def target(self) -> ServicePort:
        return ServicePort(self.project_id, self.service_name, self.port)


class ForwardPost(ClusterDriver[ForwardPostConfig, Request]):
    """Posts the body of each call to a Service, at least once; ``webhook-id`` names the call."""

    Config: ClassVar[type[DriverConfig]] = ForwardPostConfig
    consumes: ClassVar[type[PushEvent] | type[Request]] = Request
    rights = (Right(SERVICES, ("get",)), Right(SERVICES, ("create",), "proxy"))

    def headers(self, config: ForwardPostConfig) -> Collection[str]:
        return config.headers

    def targets(self, config: ForwardPostConfig, context: Context) -> tuple[str, ...]:
        target = config.target
        return self.target(config, target.namespace, "Service", target.service)

    def execute(self, config: ForwardPostConfig, event: Request, context: Context) -> Outcome:
        cluster, target = self.cluster(config, context), config.target
        sent = _letter(config, event, context)
        if config.signing_secret is not None:
            sent = signed(sent, config.signing_secret.get_secret_value(), time.time())
        failpoint("forward.ready")
        if config.via == "direct":
            answer = send_direct(cluster.get(target.address), target, sent, self._allowed)
        else:
            answer = send_proxied(cluster, target, sent)
        failpoint("forward.sent")
        return judged(target, answer)

    def problems(self, config: ForwardPostConfig, context: Context) -> Iterable[str]:
        cluster, target = self.cluster(config, context), config.target
        rights = self.rights if config.via == "proxy" else self.rights[:1]
        if denied := missing(cluster, rights, target.namespace):
            return denied
        service = cluster.get(target.address)
        port_number(service, target)
        if config.via == "direct":
            cluster_address(service, target, self._allowed)
        return ()

    def preview(self, config: ForwardPostConfig, event: Request, context: Context) -> Plan:
        sent = _letter(config, event, context)
        where = f"{config.target}{sent.path}"
        return Plan(notes=(f"It would post {len(event.body)} bytes to {where}.",))

    @cached_property
    def _allowed(self) -> tuple[Network, ...]:
        return tuple(ip_network(each) for each in self.options.get("allow_private", ()))


def _letter(config: ForwardPostConfig, event: Request, context: Context) -> Letter:
    seconds = config.timeout_seconds
    return letter(config.path, event, context.execution, seconds, config.headers)
