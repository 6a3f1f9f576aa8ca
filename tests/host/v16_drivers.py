"""v1.6's four drivers as plug-ins that do nothing: their schemas, not their work."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from webhook_service import Context, DriverConfig, Outcome, PushEvent, Unchanged, WebhookDriver
from webhook_service.driver import Request


class ScaleServiceConfig(DriverConfig):
    service_id: str = ""
    amount: int
    action: Literal["up", "down"]
    min: int = Field(default=1, ge=1)
    max: int = Field(default=100, ge=1)


class ServiceUpgradeConfig(DriverConfig):
    service_selector: dict[str, str]
    tag: str = ""
    payload_format: Literal["dockerhub", "alicloud", "azure"] = "dockerhub"
    address_type: Literal["registry", "registry-internal", "registry-vpc"] = "registry"
    batch_size: int = Field(default=1, ge=1)
    interval_millis: int = Field(default=2, ge=1)
    start_first: bool = False

    def implied(self) -> Mapping[str, Any]:
        return {
            "match": {"tags": {"policy": "exact", "value": self.tag}},
            "source": {"format": self.payload_format},
        }


class ScaleHostConfig(DriverConfig):
    host_selector: dict[str, str]
    amount: int
    action: Literal["up", "down"]
    min: int = Field(default=1, ge=1)
    max: int = Field(default=100, ge=1)
    delete_option: Literal["mostRecent", "leastRecent"] | None = None


class ForwardPostConfig(DriverConfig):
    project_id: str
    service_name: str
    port: str
    path: str


class OnRequest(WebhookDriver[DriverConfig, Request]):
    consumes: ClassVar[type[PushEvent] | type[Request]] = Request

    def execute(self, config: DriverConfig, event: Request, context: Context) -> Outcome:
        return Unchanged("a driver of the tests")


class ScaleService(OnRequest):
    Config = ScaleServiceConfig


class ScaleHost(OnRequest):
    Config = ScaleHostConfig


class ForwardPost(OnRequest):
    Config = ForwardPostConfig


class ServiceUpgrade(WebhookDriver[ServiceUpgradeConfig]):
    Config = ServiceUpgradeConfig

    def execute(self, config: ServiceUpgradeConfig, event: PushEvent, context: Context) -> Outcome:
        return Unchanged("a driver of the tests")


V16_DRIVERS: dict[str, type[WebhookDriver[Any, Any]]] = {
    "scaleService": ScaleService,
    "serviceUpgrade": ServiceUpgrade,
    "scaleHost": ScaleHost,
    "forwardPost": ForwardPost,
}
