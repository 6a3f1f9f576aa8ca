"""Pages of a list: ``limit`` and ``continue``."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from webhook_service.testing.fake_cluster.api.statuses import bad_request
from webhook_service.testing.fake_cluster.objects.resources import Object


def page(found: list[Object], params: Mapping[str, str]) -> tuple[list[Object], int]:
    """One page, and how many objects come after it."""
    start, limit = params.get("continue", ""), _limit(params.get("limit") or "0")
    if start:
        after = _decoded(start)
        found = [item for item in found if _place(item) > after]
    return (found[:limit], max(0, len(found) - limit)) if limit else (found, 0)


def _limit(text: str) -> int:
    if not text.isdecimal():
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


def _place(item: Object) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


def token(item: Object) -> str:
    """What to send as ``continue`` to go on after ``item``."""
    return base64.urlsafe_b64encode("/".join(_place(item)).encode()).decode()


def _decoded(text: str) -> tuple[str, str]:
    try:
        place = base64.b64decode(text, altchars=b"-_", validate=True).decode()
    except ValueError as exc:
        raise bad_request("invalid continue token: continue key is not valid") from exc
    namespace, separator, name = place.partition("/")
    if not separator:
        raise bad_request("invalid continue token: continue key is not valid")
    return namespace, name
