"""Azure Container Registry's webhook: one event of the registry, without an envelope.

Source: Azure documentation, "Container Registry webhook reference". Pushes, deletes, pings,
quarantine and Helm charts have one shape and are told apart by ``action`` alone. The same news
through Event Grid comes as an array, which this format refuses.
"""

from __future__ import annotations

from collections.abc import Mapping

from webhook_service.errors import InvalidPayload
from webhook_service.payloads import strict_json
from webhook_service.payloads.fields import Fields
from webhook_service.payloads.format import Format, FormatOptions, Parsed
from webhook_service.payloads.manifests import read_event
from webhook_service.payloads.pushes import parsed


class Azure(Format):
    """Read one event; the registry is ``request.host``."""

    def parse(self, body: bytes, headers: Mapping[str, str], options: FormatOptions) -> Parsed:
        value = strict_json.loads(body)
        if isinstance(value, list):
            raise InvalidPayload(
                "The body is an array, as Event Grid sends it; use the registry's own webhook."
            )
        return parsed([read_event(Fields.of(value), options.registry)])
