"""One change of a resource out of two: what a file says, and what options say beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def composed(stored: Any, first: Any, then: Any, path: str = "") -> Any:
    """The change to ``stored`` that does what ``first`` does, and ``then`` after it.

    Changes merge as those of the API do (RFC 7386): object by object, and null removes. So if
    ``first`` removes what ``then`` sets a field of, the result removes every other field there.

    Args:
        stored: what both change, as the API shows it; None if it is still to be made.
        path: where it stands, such as ``match.tags``.
    """
    from webhook_service.receiving.bodies.receiver import KEPT_BY_ANY_KIND, KINDS

    if not isinstance(then, Mapping):
        return then
    old = stored if isinstance(stored, Mapping) else {}
    said = first if isinstance(first, Mapping) else dict.fromkeys(old)
    kind = KINDS.get(path, "")
    if said.get(kind) is not None and then.get(kind, said[kind]) != said[kind]:
        said = {name: value for name, value in said.items() if name in KEPT_BY_ANY_KIND}
    inner = {
        name: composed(old.get(name), said[name], value, f"{path}.{name}".lstrip("."))
        if name in said
        else value
        for name, value in then.items()
    }
    return {**said, **inner}
