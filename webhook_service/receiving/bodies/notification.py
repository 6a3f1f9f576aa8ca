"""Reading a notification's JSON body. An update changes what it says, and keeps the rest."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from webhook_service.driver import DriverConfig
from webhook_service.errors import InvalidConfig, PluginUnavailable, UnknownField
from webhook_service.model.notice import Happened
from webhook_service.model.notification import NotificationSpec, notification_as_json
from webhook_service.model.receiver import config_field
from webhook_service.notifications.filter import compile_notice_filter
from webhook_service.plugins.boundary import guarded
from webhook_service.plugins.instances import NotificationKinds
from webhook_service.receiving.bodies.receiver import READ_ONLY, describe, require_printable
from webhook_service.receiving.config_secrets import keep_secrets, part_config

FIELDS = ("name", "kind", "on", "when", "votes")
READ_ONLY_FIELDS = (*READ_ONLY, "last")


def read_notification(
    body: Any, kinds: NotificationKinds, stored: NotificationSpec | None = None
) -> NotificationSpec:
    """A notification with the secrets of its config apart from what may be shown.

    Args:
        stored: the notification as it is, for an update; what the body leaves out stays, and
            a ``when`` of null is removed.

    Raises:
        InvalidConfig: a field is missing or cannot be used; the message names it.
        UnknownField: the body has a field that no notification has.
    """
    if not isinstance(body, Mapping):
        raise InvalidConfig("Bad request body: a notification is a JSON object.")
    old = {} if stored is None else dict(notification_as_json(stored))
    whole = {**old, **{name: value for name, value in body.items() if value is not None}}
    if "when" in body and body["when"] is None:
        whole.pop("when", None)
    require_printable(whole.get("name"), None if stored is None else stored.name)
    kind = _kind(whole, kinds)
    field = config_field(kind)
    _refuse_unknown_fields(body, kinds, field)
    with guarded(f"The kind {kind}", InvalidConfig):
        shown, secret = part_config(_config(whole, kind, kinds, stored), field)
    if isinstance(when := whole.get("when"), str):
        compile_notice_filter(when)
    values = {name: whole[name] for name in FIELDS if name in whole}
    try:
        spec = NotificationSpec(**values, config=shown, secret_config=secret)
    except ValidationError as exc:
        raise InvalidConfig(describe(exc)) from exc
    if spec.votes:
        _require_votes(spec, kinds)
    return spec


def _require_votes(spec: NotificationSpec, kinds: NotificationKinds) -> None:
    """Refuse a link to vote where it would come to nobody, or to everybody."""
    if Happened.HELD not in spec.on:
        raise InvalidConfig("votes: only a held push is voted on: add 'held' to on.")
    if not kinds.get(spec.kind).shows_vote_link:
        raise InvalidConfig(
            f"votes: what {spec.kind} tells is read by others, too, or by no people, so it brings "
            "no link to vote: leave votes out, or choose another kind."
        )


def _kind(whole: Mapping[str, Any], kinds: NotificationKinds) -> str:
    kind = whole.get("kind")
    if not isinstance(kind, str) or kind not in kinds.names:
        known = ", ".join(kinds.names)
        raise InvalidConfig(f"kind: say how people are told: {known}.")
    return kind


def _config(
    whole: Mapping[str, Any],
    kind: str,
    kinds: NotificationKinds,
    stored: NotificationSpec | None,
) -> DriverConfig:
    field = config_field(kind)
    value = whole.get(field, {})
    if not isinstance(value, Mapping):
        raise InvalidConfig(f"{field}: must be an object.")
    if stored is not None and stored.kind == kind:
        value = keep_secrets(value, stored.config, stored.full_config)
    try:
        return kinds.get(kind).Config.model_validate(value)
    except ValidationError as exc:
        raise InvalidConfig(describe(exc, field)) from exc
    except PluginUnavailable as exc:
        raise InvalidConfig(f"kind: {exc.message}") from exc


def _refuse_unknown_fields(body: Mapping[str, Any], kinds: NotificationKinds, own: str) -> None:
    others = {config_field(name) for name in kinds.names} - {own}
    possible = {*FIELDS, own, *READ_ONLY_FIELDS}
    for field in sorted(str(name) for name in body if name not in possible):
        if field in others:
            raise InvalidConfig(f"{field} is not the config of this kind, {own} is; leave it out.")
        close = get_close_matches(field, possible, n=1)
        hint = f"; did you mean {close[0]}?" if close else "."
        raise UnknownField(f"A notification has no field {field[:100]!r}{hint}")
