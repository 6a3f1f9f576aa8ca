"""Revisions for the tests of rollbacks and histories."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from webhook_service.driver import Observed, PushEvent
from webhook_service.errors import Change
from webhook_service.model.execution import Execution, ExecutionState
from webhook_service.model.history.revision import Sight

NOW = datetime(2026, 11, 22, tzinfo=UTC)
_numbers = count()


def revision(
    tag: str,
    before: str | None = None,
    rolls_back: str | None = None,
    repository: str = "acme/shop",
    digest: str | None = None,
    slot: str = "slot",
    **fields: Any,
) -> Execution:
    """A push of the tag, or a rollback to it; it succeeded, if ``fields`` do not say otherwise."""
    number = next(_numbers)
    changes = (Change("shop", "image", before, f"{repository}:{tag}"),) if before else ()
    values: dict[str, Any] = {"state": ExecutionState.SUCCEEDED, "changes": changes, **fields}
    return Execution(
        id=f"exe_{number}",
        project="1a5",
        receiver="rcv_1",
        delivery="dlv_1",
        driver="stub",
        slot=slot,
        event=PushEvent(registry="docker.io", repository=repository, tag=tag, digest=digest),
        identity=f"push {tag}",
        order_key="",
        created=NOW,
        finished=NOW + timedelta(seconds=number),
        rolls_back=rolls_back,
        **values,
    )


def failed(tag: str, before: str | None = None, reason: str = "rollout_failed") -> Execution:
    return revision(tag, before, state=ExecutionState.FAILED, reason=reason)


def seen(*images: str, **fields: Any) -> Sight:
    """What the target ``shop`` runs."""
    return Sight(tuple(Observed(target="shop", image=image, **fields) for image in images))
