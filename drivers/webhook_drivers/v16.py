"""Fields that Rancher 1.6 kept inside driver configs, for bodies written for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from webhook_service import DriverConfig


class LegacyPush(DriverConfig):
    """Mixed into the configs of push drivers: v1.6's way to say ``source`` and ``match.tags``."""

    tag: str | None = Field(
        default=None,
        min_length=1,
        max_length=128,
        description="v1.6's way to deploy one tag only: the same as match.tags, policy exact.",
    )
    payload_format: str | None = Field(
        default=None, min_length=1, description="v1.6's name of source.format."
    )
    address_type: Literal["registry", "registry-internal", "registry-vpc"] | None = Field(
        default=None,
        description="v1.6's name of source.addressType: the host of an Alibaba registry.",
    )

    def implied(self) -> Mapping[str, Any]:
        implied: dict[str, Any] = {}
        if self.tag:
            implied["match"] = {"tags": {"policy": "exact", "value": self.tag}}
        if self.payload_format:
            implied["source"] = {"format": self.payload_format}
            if self.payload_format == "alicloud" and self.address_type:
                implied["source"]["addressType"] = self.address_type
        return implied
