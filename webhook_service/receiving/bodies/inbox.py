"""Reading an inbox's JSON body. Its parts merge as a receiver's do (see ``body``)."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from webhook_service.errors import InvalidConfig, PluginUnavailable, UnknownField
from webhook_service.model.inbox import InboxSpec, inbox_as_json
from webhook_service.plugins.boundary import ask, guarded
from webhook_service.plugins.instances import Schemes
from webhook_service.receiving.bodies.receiver import READ_ONLY, describe, merge, require_printable
from webhook_service.schemes.proving.secret_fields import part_secrets

FIELDS = ("name", "source", "verify")
READ_ONLY_FIELDS = (*READ_ONLY, "receivers")


def read_inbox(body: Any, schemes: Schemes, stored: InboxSpec | None = None) -> InboxSpec:
    """An inbox with the secrets of ``verify`` apart from what may be shown.

    Args:
        stored: the inbox as it is, for an update; what the body leaves out stays.

    Raises:
        InvalidConfig: a field is missing or cannot be used; the message names it.
        UnknownField: the body has a field that no inbox has.
        PluginUnavailable: the scheme is not installed.
    """
    if not isinstance(body, Mapping):
        raise InvalidConfig("Bad request body: an inbox is a JSON object.")
    _refuse_unknown_fields(body)
    old = {} if stored is None else dict(inbox_as_json(stored))
    whole = dict(old)
    for name in FIELDS:
        if body.get(name) is not None:
            whole[name] = merge(old.get(name), body[name], name)
    # Nothing is said with it, and somebody may mean that nothing is to be verified.
    _require_said({**whole, "verify": {}} if body.get("verify") == {} else whole)
    require_printable(whole["name"], None if stored is None else stored.name)
    try:
        spec = InboxSpec.model_validate(whole)
    except ValidationError as exc:
        raise InvalidConfig(describe(exc)) from exc
    if stored is not None and spec.name != stored.name:
        raise InvalidConfig(
            "name: receivers refer to an inbox by its name, so it stays; make another inbox."
        )
    scheme = schemes.get(spec.verify.scheme)
    with guarded(f"The scheme {spec.verify.scheme}", PluginUnavailable):
        names = ask(frozenset, scheme.secret_fields, spec.verify.options, schemes.get)
    return part_secrets(spec, names, stored)


def _require_said(whole: Mapping[str, Any]) -> None:
    """An inbox is new: nobody may rely on what would be meant if a part were left out."""
    if not whole.get("name"):
        raise InvalidConfig("Name not provided")
    source, verify = whole.get("source"), whole.get("verify")
    if not isinstance(source, Mapping) or not source.get("format"):
        raise InvalidConfig(
            'source: say who calls, as in {"format": "harbor"}; {"format": "auto"} looks at each '
            "call."
        )
    if not isinstance(verify, Mapping) or not verify.get("scheme"):
        raise InvalidConfig(
            'verify: say how calls are proven genuine; {"scheme": "none"} relies on the '
            "secrecy of the URL alone."
        )


def _refuse_unknown_fields(body: Mapping[str, Any]) -> None:
    possible = {*FIELDS, *READ_ONLY_FIELDS}
    for field in sorted(str(name) for name in body if name not in possible):
        close = get_close_matches(field, possible, n=1)
        hint = f"; did you mean {close[0]}?" if close else "."
        raise UnknownField(f"An inbox has no field {field[:100]!r}{hint}")
