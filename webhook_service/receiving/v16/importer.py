"""Receivers of a v1.6 as it gave them out, made into bodies that this service takes.

Two forms are read: what ``GET /v1-webhooks/receivers?projectId=`` answered, and the generic objects
in which Cattle, Rancher's database, kept them.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from json import loads
from typing import Any
from urllib.parse import parse_qs, urlsplit

from webhook_service.errors import InvalidConfig
from webhook_service.model.ids import is_v16_key
from webhook_service.model.receiver import config_field
from webhook_service.receiving.v16.body import read_as_v16

KIND = "webhookReceiver"
# Drivers whose config may name a namespace here; v1.6 looked in the whole project.
_LOOKING = ("scaleHost", "serviceUpgrade")
_RANCHER_SERVICE = re.compile(r"[0-9]+s[0-9]+")


class NeedsMapping(InvalidConfig):
    """The config names an object of Rancher, and nothing says what it is now."""


@dataclass(frozen=True, slots=True)
class OldReceiver:
    """A receiver of v1.6.

    Attributes:
        body: as v1.6 would take it to make the receiver anew.
        key: what its URL carries; None if nothing says so.
        project: the project that its URL names.
        signed: whether its URL has a token that v1.6 signed, instead of the key.
    """

    body: Mapping[str, Any]
    key: str | None
    project: str | None = None
    signed: bool = False

    @property
    def name(self) -> str:
        return str(self.body.get("name") or "")

    @property
    def driver(self) -> str:
        return str(self.body.get("driver") or "")


def read_old_receivers(data: Any) -> Sequence[OldReceiver]:
    """The receivers in an answer of v1.6 or Cattle, in a list, or alone.

    Raises:
        InvalidConfig: it is none of these.
    """
    items = data.get("data", [data]) if isinstance(data, Mapping) else data
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise InvalidConfig(
            "This is neither a receiver of v1.6 nor a list of them: save what GET "
            "/v1-webhooks/receivers?projectId=… answers."
        )
    return [_read(item) for item in items if item.get("kind", KIND) in (KIND, "", None)]


def read_old_url(text: str) -> OldReceiver:
    """The key and project in a URL of v1.6; a bare key is taken, too.

    Raises:
        InvalidConfig: there is no key of v1.6 in it.
    """
    query = {name: values[0] for name, values in parse_qs(urlsplit(text).query).items()}
    claims = _claims(query.get("token", ""))
    key = query.get("key") or claims.get("uuid") or text.strip()
    project = query.get("projectId") or claims.get("projectId")
    if not isinstance(key, str) or not is_v16_key(key):
        raise InvalidConfig(
            "A key of v1.6 has 40 letters and digits, or is a UUID; give the key, or the "
            "receiver's whole URL."
        )
    return OldReceiver({}, key, project if isinstance(project, str) else None, bool(claims))


def moved(
    old: OldReceiver,
    names: Mapping[str, str],
    namespace: str | None = None,
    cluster: str | None = None,
) -> OldReceiver:
    """The receiver with Kubernetes' names in place of Rancher's.

    Args:
        names: what Rancher's ids stand for: ``{"1s7": "shop/web"}`` for a service, ``{"1a5":
            "shop"}`` for a project that became a namespace.
        namespace: where labels are looked for, and calls are passed on to, without a name.
        cluster: the name of the cluster; without it, the default one.

    Raises:
        NeedsMapping: a service has no new name.
    """
    field = config_field(old.driver)
    config = old.body.get(field)
    if not isinstance(config, Mapping):
        return old
    found = dict(config)
    if isinstance(service := found.get("serviceId"), str):
        found["serviceId"] = names.get(service, service)
        if _RANCHER_SERVICE.fullmatch(found["serviceId"]):
            raise NeedsMapping(f"--map {service}=NAMESPACE/NAME")
    if isinstance(project := found.get("projectId"), str):
        found["projectId"] = names.get(project, namespace or project)
    if namespace and old.driver in _LOOKING:
        found.setdefault("namespace", namespace)
    if cluster:
        found.setdefault("cluster", cluster)
    return replace(old, body={**old.body, field: found})


def _read(item: Mapping[str, Any]) -> OldReceiver:
    data = item.get("resourceData")
    is_generic = isinstance(data, Mapping)
    stored: Mapping[str, Any] = data if isinstance(data, Mapping) else item
    key, url = item.get("key"), stored.get("url")
    # The URL says more than the key does: the project, and whether it has a token.
    known = _known(url) or _known(key) or OldReceiver({}, None)
    account = item.get("accountId")
    project = known.project or (account if isinstance(account, str) else None)
    if not is_generic:
        return replace(known, body=read_as_v16(item, {}), project=project)
    driver = str(stored.get("driver") or "")
    config = stored.get("config") or {}
    body = {"name": item.get("name"), "driver": driver, config_field(driver): config}
    return replace(known, body=read_as_v16(body, {}), project=project)


def _known(text: Any) -> OldReceiver | None:
    try:
        return read_old_url(text) if isinstance(text, str) and text else None
    except InvalidConfig:
        return None


def _claims(token: str) -> Mapping[str, Any]:
    """What a token says. Nothing is proven by it: the receiver is made by its owner."""
    part = token.split(".")[1] if token.count(".") == 2 else ""
    try:
        claims = loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}
