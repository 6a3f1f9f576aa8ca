"""How v1.6 read a receiver's body, and which bodies are read so: the plain ones.

A body is plain when its driver is not one that came after v1.6, and it says nothing that v1.6 did
not know: no newer part (``match``, ``verify``, …), and no newer field in the driver's config. What
looks like a newer name, but for a typo, counts as one. Clients of v1.6 rely on what Go
did with them (https://pkg.go.dev/encoding/json#Unmarshal). Every other body is read strictly.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from webhook_service.model.receiver import config_field

# v1.6's drivers with the fields of their configs; deploymentUpdate is that of its Kubernetes fork.
CONFIGS: Mapping[str, Collection[str]] = {
    "scaleService": ("type", "serviceId", "action", "amount", "min", "max"),
    "scaleHost": ("type", "hostSelector", "action", "amount", "min", "max", "deleteOption"),
    "serviceUpgrade": (
        *("type", "serviceSelector", "tag", "payloadFormat", "addressType"),
        *("batchSize", "intervalMillis", "startFirst"),
    ),
    "forwardPost": ("type", "projectId", "serviceName", "port", "path"),
    "deploymentUpdate": ("type", "namespace", "name"),
}
# Parts that no v1.6 body has: whoever writes one of them knows that verification exists.
NEWER = ("labels", "listen", "source", "match", "verify", "registry", "approval", "respond")
STATES = ("active", "suspended")
FORMATS = ("dockerhub", "alicloud", "azure")
_LIKE = 0.75


def read_as_v16(body: Mapping[str, Any], fields: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """The body as v1.6 understood it; one that is not plain comes back as it is.

    Names count without regard to case, an empty text is no text, and what v1.6 did not know is
    left out. A ``payloadFormat`` that v1.6 did not know was Docker Hub's.

    Args:
        fields: what the configs of the installed drivers may hold, by the name of the driver.
    """
    driver = _value(body, "driver")
    driver = driver if isinstance(driver, str) else ""
    own, known = config_field(driver), CONFIGS.get(driver, ())
    config = _value(body, own)
    config = config if isinstance(config, Mapping) else {}
    is_newer = driver in fields and driver not in CONFIGS
    if is_newer or _has(body, NEWER) or _has(config, set(fields.get(driver, ())) - set(known)):
        return dict(body)
    found = _known(body, ("name", "driver", own, "state"))
    if found.get("state") not in STATES:
        found.pop("state", None)  # Cattle's own: "requested", "inactive", …
    if own in found and isinstance(found[own], Mapping):
        found[own] = _config(_known(config, known))
    return found


def _config(config: dict[str, Any]) -> dict[str, Any]:
    if config.get("payloadFormat") not in FORMATS:
        config.pop("payloadFormat", None)
    if config.get("payloadFormat") != "alicloud":
        config.pop("addressType", None)
    return config


def _has(values: Iterable[str], names: Collection[str]) -> bool:
    """Whether one of the names is there, in any case or with a typo."""
    folded = [name.casefold() for name in names]
    return any(get_close_matches(each.casefold(), folded, 1, _LIKE) for each in values)


def _known(values: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    found = {name: _value(values, name) for name in names}
    return {name: value for name, value in found.items() if value is not None and value != ""}


def _value(values: Mapping[str, Any], name: str) -> Any:
    """The value under the name as it is written, or else in another case."""
    if name in values:
        return values[name]
    folded = name.casefold()
    return next((values[each] for each in values if each.casefold() == folded), None)
