"""The secrets in a driver's config: told from what answers show, and kept by updates.

A config is stored twice if it holds a secret: as answers show it, and whole and sealed. The places
at which the two differ are those of the secrets, so no list of places is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from webhook_service.driver import DriverConfig
from webhook_service.errors import InvalidConfig
from webhook_service.model.receiver import HIDDEN
from webhook_service.model.secret_types import SECRET_TYPES

Json = dict[str, Any]
# What pydantic shows of a secret. Before secrets were sealed, it was stored in their place.
_MASKS = (HIDDEN, "*" * 10)


def part_config(config: DriverConfig, field: str) -> tuple[Json, Json | None]:
    """A config as answers show it, and the whole of it if it holds a secret.

    Args:
        field: its name in the receiver, for messages.

    Raises:
        InvalidConfig: a hidden secret was sent, and there is none to keep; or the config, as it
            would be stored, does not come back as it is.
    """
    found = config.model_dump(by_alias=True, exclude_unset=True)
    try:
        written = config.model_dump(mode="json", by_alias=True, exclude_unset=True)
        whole = _replace(written, found, field, _open)
    except PydanticSerializationError as exc:
        raise InvalidConfig(f"{field}: has a value that JSON cannot hold.") from exc
    _require_lossless(config, whole, field)
    shown = _replace(written, found, field, lambda *_: HIDDEN)
    return shown, None if shown == whole else whole


def keep_secrets(given: Any, shown: Any, whole: Any, *, also_unsaid: bool = True) -> Any:
    """A config as it was sent, with the stored secrets that it hides or leaves out.

    What holds a secret and is left out stays as it is stored; null removes it.

    Args:
        shown: the stored config as answers show it; ``whole`` is the same with its secrets.
        also_unsaid: whether secrets that are left out stay; else those alone that are hidden.
    """
    if shown == whole:
        return given
    if given == shown == HIDDEN:
        return whole
    if isinstance(given, Mapping) and isinstance(shown, Mapping):
        return _keep_fields(given, shown, whole, also_unsaid)
    # A list in the place of a text: whatever it holds, none of it is that secret.
    if isinstance(given, list | tuple) and isinstance(shown, list | tuple):
        return [
            _keep_item(each, index, given, shown, whole, also_unsaid)
            for index, each in enumerate(given)
        ]
    return given


def _keep_fields(
    given: Mapping[str, Any], shown: Mapping[str, Any], whole: Json, also_unsaid: bool
) -> Json:
    # A field may be sent by its JSON name or by its name in Python.
    stored = {_plain(name): name for name in shown}
    names = {name: name if name in shown else stored.get(_plain(name), "") for name in given}
    secret = {name for name in shown if shown[name] != whole[name]}
    kept = {
        name: keep_secrets(
            value, shown.get(names[name]), whole.get(names[name]), also_unsaid=also_unsaid
        )
        for name, value in given.items()
        if not (value is None and names[name] in secret)
    }
    if not also_unsaid:
        return kept
    return kept | {name: whole[name] for name in shown if name in secret - {*names.values()}}


def _keep_item(
    each: Any, index: int, given: Sequence[Any], shown: Any, whole: Any, also_unsaid: bool
) -> Any:
    """An item of a list: the stored one that it is, else the one at its place in a list as long.

    So a secret does not go to another item when items are moved or removed.
    """

    def kept(place: int) -> Any:
        return keep_secrets(each, shown[place], whole[place], also_unsaid=also_unsaid)

    at = [i for i in range(len(shown)) if kept(i) == whole[i]]
    place = index if len(given) == len(shown) else -1
    if len(at) == 1 and place not in at:
        place = at[0]
    return each if place < 0 else kept(place)


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _replace(written: Any, found: Any, path: str, new: Callable[[Any, str], Any]) -> Any:
    """A config's JSON with something new at the places of its secrets.

    Args:
        found: the same in Python's types, which tell what is a secret.
    """
    if isinstance(found, SECRET_TYPES):
        return new(found, path)
    if not isinstance(found, Collection) or not isinstance(written, dict | list):
        return written
    if len(found) != len(written):
        return written  # a serialiser of its own made something else of it
    if isinstance(written, dict) and isinstance(found, Mapping):
        pairs = zip(written.items(), found.values(), strict=True)
        return {name: _replace(old, value, f"{path}.{name}", new) for (name, old), value in pairs}
    each = enumerate(zip(written, found, strict=True))
    return [_replace(old, value, f"{path}.{place}", new) for place, (old, value) in each]


def _open(secret: Any, path: str) -> Any:
    value = to_jsonable_python(secret.get_secret_value())
    if value in _MASKS:
        raise InvalidConfig(f"{path}: {value} stands for a stored secret; send a new one.")
    return value


def _require_lossless(config: DriverConfig, whole: Json, field: str) -> None:
    """What is stored must be what the driver checked: some serialisers hide or leave out."""
    try:
        again = _fields(type(config).model_validate(whole))
    except ValidationError as exc:
        lost = {str(error["loc"][0]) if error["loc"] else "" for error in exc.errors()}
    else:
        said = _fields(config)
        lost = {name for name in config.model_fields_set if again.get(name) != said.get(name)}
    if lost:
        raise InvalidConfig(
            f"{field}.{min(lost)}: does not come back from JSON as it was, so it cannot be stored; "
            "the driver's author must give it another type (a secret: webhook_service.Secret)."
        )


def _fields(config: DriverConfig) -> Json:
    return {**vars(config), **(config.model_extra or {})}
