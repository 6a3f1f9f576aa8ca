"""Reading a receiver's JSON body: v1.6's fields, the driver's config, and the core's parts.

An update changes what it says and keeps the rest. The core's parts merge as JSON does by RFC 7386:
objects field by field, null removes a field (or a part), lists are replaced. Where a part changes
its kind (``source.format``, ``verify.scheme``), nothing of the old kind is kept. The driver's
config is always replaced as a whole, as in v1.6, but for its secrets (see ``config_secrets``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from webhook_service.driver import DriverConfig
from webhook_service.errors import (
    InvalidConfig,
    OutdatedVersion,
    PluginUnavailable,
    UnknownField,
)
from webhook_service.model.receiver import ReceiverSpec, as_json, config_field
from webhook_service.plugins.boundary import ask, guarded
from webhook_service.plugins.instances import Drivers, Schemes
from webhook_service.receiving.config_secrets import keep_secrets, part_config
from webhook_service.receiving.v16.body import NEWER, read_as_v16
from webhook_service.schemes.proving.secret_fields import part_secrets

PARTS = (
    "labels",
    "listen",
    "source",
    "match",
    "verify",
    "registry",
    "approval",
    "respond",
    "state",
)
# What a URL needs. A receiver without one of its own is called through inboxes, which say it.
PARTS_OF_URL = ("source", "verify")
# Parts that an update may remove, and which are then as in a receiver that never had them.
REMOVABLE = ("labels", "listen", "source", "match", "registry", "approval", "respond")
# The field that says of what kind a part is. The options of one kind mean nothing to another; only
# the globs beside a tag policy mean the same with each.
KINDS = {"source": "format", "verify": "scheme", "match.tags": "policy"}
KEPT_BY_ANY_KIND = ("include", "exclude")
# What an answer carries beside what its owner wrote: ignored, so that it can be sent back.
READ_ONLY = ("id", "type", "links", "actions", "url", "created", "updated", "problem")
TOO_FEW = "too_short"  # of Pydantic
LISTS = frozenset({"List", "Tuple", "Set", "Frozenset", "Dictionary"})


def read_spec(
    body: Any,
    drivers: Drivers,
    schemes: Schemes,
    stored: ReceiverSpec | None = None,
    *,
    is_whole: bool = False,
) -> ReceiverSpec:
    """``read_body``, with the secrets of ``verify`` apart from what may be shown.

    Args:
        stored: the receiver as it is, for an update; what the body leaves out stays.
        is_whole: whether the body says all of it, so that nothing stays but the secrets it hides.

    Raises:
        InvalidConfig, UnknownField: see ``read_body``.
        PluginUnavailable: the scheme is not installed.
    """
    base, hidden = (None, stored) if is_whole else (stored, None)
    spec, _ = read_body(body, drivers, base, hidden)
    scheme = schemes.get(spec.verify.scheme)
    with guarded(f"The scheme {spec.verify.scheme}", PluginUnavailable):
        names = ask(frozenset, scheme.secret_fields, spec.verify.options, schemes.get)
    return part_secrets(spec, names, stored)


def read_body(
    body: Any,
    drivers: Drivers,
    base: ReceiverSpec | None = None,
    hidden: ReceiverSpec | None = None,
) -> tuple[ReceiverSpec, DriverConfig]:
    """Read and check a receiver's body, all but what needs the live system.

    Args:
        base: the stored receiver, for an update: fields that the body leaves out stay.
        hidden: the stored receiver of which nothing stays but the secrets that the body hides.

    Raises:
        InvalidConfig: a field is missing or cannot be used; the message names it.
        UnknownField: the body has a field that no receiver has.
    """
    _require_object(body)
    # An update that names no driver is nobody's of v1.6, which had no updates.
    whole_body = base is None or "driver" in {str(name).casefold() for name in body}
    read = read_as_v16(body, _config_fields(drivers)) if whole_body else body
    given = {
        name: value
        for name, value in read.items()
        if value is not None or (base is not None and name in REMOVABLE)
    }
    if base is None:
        given = _without_own_url(given)
    stored = {} if base is None else dict(as_json(base))
    whole = {**stored, **given}
    name, driver = _required(whole, "name"), _required(whole, "driver")
    known = base or hidden
    require_printable(name, None if known is None else known.name)
    with guarded("The config of the driver", InvalidConfig):
        config = _read_config(whole, driver, drivers, base, hidden)
        implied = ask(Mapping, config.implied)
        shown, secret = part_config(config, config_field(driver))
    _refuse_unknown_fields(given, driver, drivers)
    _require_verify(given, base)
    values = {
        "name": name,
        "driver": driver,
        "config": shown,
        "secret_config": secret,
        **_merge_parts(stored, implied, given),
    }
    try:
        return ReceiverSpec.model_validate(values), config
    except ValidationError as exc:
        raise InvalidConfig(describe(exc)) from exc


def read_name(body: Any, drivers: Drivers) -> str:
    """The name alone, to be checked first.

    Raises:
        InvalidConfig: the body has none.
    """
    _require_object(body)
    return _required(read_as_v16(body, _config_fields(drivers)), "name")


def require_printable(name: Any, stored: str | None) -> None:
    """Refuse a new name that is not seen as it is; one that an older release took may stay.

    Raises:
        InvalidConfig: it has a line break, say, or a sign that turns around what follows.
    """
    if isinstance(name, str) and name != stored and not (name.isprintable() and name.strip()):
        raise InvalidConfig("name: must have printable characters only, and not only blanks.")


def require_version(noun: str, found: int, asked: int | None) -> None:
    """Make sure that a change is made for what is stored.

    Raises:
        OutdatedVersion: it was made for another version.
    """
    if asked == 0 and found:
        raise OutdatedVersion(
            f"The {noun} is there already, at version {found}, and was to be new: read it, and "
            "repeat the change if it is still right."
        )
    if asked not in (None, found):
        raise OutdatedVersion(
            f"The {noun} is at version {found}, and If-Match names {asked}: read it again, and "
            "repeat the change if it is still right."
        )


def merge(old: Any, new: Any, path: str) -> Any:
    """A part with a change, by the rules above.

    Args:
        path: where it stands, such as ``source``.
    """
    if not isinstance(new, Mapping):
        return new
    kept = dict(old) if isinstance(old, Mapping) else {}
    kind = KINDS.get(path, "")
    if kind in new and new[kind] != kept.get(kind):
        kept = {name: value for name, value in kept.items() if name in KEPT_BY_ANY_KIND}
    for name, value in new.items():
        if value is None:
            kept.pop(name, None)
        else:
            kept[name] = merge(kept.get(name), value, f"{path}.{name}")
    return kept


def describe(exc: ValidationError, prefix: str = "") -> str:
    """Every problem of a validation in one line, without the values that caused them."""
    problems = []
    errors = exc.errors(include_input=False, include_url=False)
    within = {error["loc"][:-1] for error in errors if error["loc"]}
    for error in errors:
        if error["type"] == TOO_FEW and error["loc"] in within:
            continue  # it only counts the items that are right, and the others have been told
        path = ".".join([prefix, *map(str, error["loc"])]).strip(".")
        text = _sentence(error)
        own = error["type"] == "value_error"
        problems.append(text if own and not error["loc"] else f"{path}: {text}")
    return "; ".join(problems)


def _sentence(error: Mapping[str, Any]) -> str:
    context = error.get("ctx", {})
    if error["type"] == TOO_FEW and context.get("field_type") in LISTS:
        least = context["min_length"]
        return f"must have at least {least} item{'s' if least > 1 else ''}"
    return str(error["msg"]).removeprefix("Value error, ")


def _config_fields(drivers: Drivers) -> Mapping[str, Collection[str]]:
    """The names that each installed driver's config may have."""
    configs = {plugin.name: plugin.target.Config for plugin in drivers.plugins if plugin.target}
    return {
        name: [field.alias or own for own, field in config.model_fields.items()]
        for name, config in configs.items()
    }


def _require_object(body: Any) -> None:
    if not isinstance(body, Mapping):
        raise InvalidConfig("Bad request body: a receiver is a JSON object.")


def _required(given: Mapping[str, Any], field: str) -> str:
    value = given.get(field)
    if not value:
        raise InvalidConfig(f"{field.capitalize()} not provided")
    if not isinstance(value, str):
        raise InvalidConfig(f"{field}: must be a text.")
    return value


def _read_config(
    given: Mapping[str, Any],
    driver: str,
    drivers: Drivers,
    base: ReceiverSpec | None,
    hidden: ReceiverSpec | None,
) -> DriverConfig:
    known = {plugin.name for plugin in drivers.plugins}
    if driver not in known:
        raise InvalidConfig(f"Invalid driver {driver[:100]}")
    model = drivers.get(driver).Config
    field = config_field(driver)
    value = given.get(field, {})
    if not isinstance(value, Mapping):
        raise InvalidConfig(f"{field}: must be an object.")
    value = {key: item for key, item in value.items() if key != "type"}
    stored = base or hidden
    if stored is not None and stored.driver == driver:
        value = keep_secrets(value, stored.config, stored.full_config, also_unsaid=base is not None)
    try:
        return model.model_validate(value)
    except ValidationError as exc:
        raise InvalidConfig(describe(exc, field)) from exc


def _refuse_unknown_fields(given: Mapping[str, Any], driver: str, drivers: Drivers) -> None:
    others = {config_field(plugin.name) for plugin in drivers.plugins} - {config_field(driver)}
    for field in others & given.keys():
        if given[field]:
            raise InvalidConfig(f"{field} is not the config of {driver}; leave it out.")
    possible = {"name", "driver", config_field(driver), *PARTS, *READ_ONLY, *others}
    for field in sorted(given.keys() - possible):
        close = get_close_matches(field, possible, n=1)
        hint = f"; did you mean {close[0]}?" if close else "."
        raise UnknownField(f"A receiver has no field {field[:100]!r}{hint}")


def _without_own_url(given: dict[str, Any]) -> dict[str, Any]:
    """A new receiver that names inboxes has no URL of its own, unless it says so."""
    listen = given.get("listen")
    if not isinstance(listen, Mapping) or not listen.get("inboxes"):
        return given
    return {**given, "listen": {"ownUrl": False, **listen}}


def _has_own_url(listen: Any, otherwise: bool = True) -> bool:
    said = listen.get("ownUrl") if isinstance(listen, Mapping) else None
    return otherwise if said is None else said is not False


def _require_verify(given: Mapping[str, Any], base: ReceiverSpec | None) -> None:
    """A plain v1.6 body cannot say how calls are verified; any newer one must, if it has a URL.

    An update may leave the scheme out, if it says what else to change about it.
    """
    verify, is_new = given.get("verify"), base is None
    had_url = base is not None and base.listen.own_url
    has_url = _has_own_url(given.get("listen"), had_url or is_new)
    newer = is_new and any(part in given for part in NEWER)
    unsaid = verify is None and has_url and not had_url and (newer or not is_new)
    kept = {} if is_new or not verify else {"scheme": "as before"}
    empty = isinstance(verify, Mapping) and not {**kept, **verify}.get("scheme")
    if unsaid or empty:
        raise InvalidConfig(
            'verify: say how calls are proven genuine; {"scheme": "none"} relies on the '
            "secrecy of the URL alone."
        )


def _merge_parts(
    stored: Mapping[str, Any], implied: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """The core's parts: as given, else as the driver's config implies, else as stored."""
    parts = {part: stored[part] for part in PARTS if part in stored}
    for part, fields in implied.items():
        parts[part] = {**parts.get(part, {}), **fields}
    for part in PARTS:
        if part in given:
            parts[part] = merge(parts.get(part), given[part], part)
    if not _has_own_url(parts.get("listen")):
        for part in PARTS_OF_URL:
            if part not in given:
                parts.pop(part, None)
    return {part: value for part, value in parts.items() if value is not None}
