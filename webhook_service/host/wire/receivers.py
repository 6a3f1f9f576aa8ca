"""Receivers as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from webhook_service.host.http.links import Links
from webhook_service.host.wire.access import field_changes
from webhook_service.model.history.applied import Applied
from webhook_service.model.receiver import HIDDEN, Receiver, Verify, as_json, config_field
from webhook_service.resources import AppliedResource, ReceiverResource

Json = dict[str, Any]


def receiver_json(
    receiver: Receiver,
    drivers: Sequence[str],
    links: Links,
    key: str | None,
    problem: str | None,
) -> Json:
    """A receiver; every driver has its config field, v1.6's clients look for them.

    Args:
        drivers: the names of those that can be used.
        key: what its URL carries; None leaves the URL out.
        problem: why it cannot take calls.
    """
    spec = receiver.spec
    hidden = dict.fromkeys(spec.verify.secrets, HIDDEN)
    options = spec.verify.model_dump(mode="json", by_alias=True) | hidden
    configs: dict[str, Json] = {config_field(name): {} for name in drivers}
    configs[config_field(spec.driver)] = {"type": spec.driver, **spec.config}
    return ReceiverResource(
        type="receiver",
        id=receiver.id,
        name=spec.name,
        labels=spec.labels,
        driver=spec.driver,
        listen=spec.listen,
        source=spec.source,
        match=spec.match,
        verify=Verify.model_construct(**options),
        registry=spec.registry,
        approval=spec.approval,
        respond=spec.respond,
        state=spec.state,
        created=receiver.created,
        updated=receiver.updated,
        problem=problem,
        url=None if key is None else links.to("/endpoint", {"key": key}),
        links={"self": links.to(f"/receivers/{receiver.id}")},
        actions={},
        **configs,
    ).as_json()


def applied_json(applied: Applied, stored: Receiver | None, warnings: Sequence[str] = ()) -> Json:
    """What became of a receiver that was to be as a body says.

    Args:
        stored: it as it is now.
    """
    return AppliedResource(
        type="applied",
        name=applied.after.name,
        result=applied.result,
        version=0 if stored is None else stored.version,
        changes=field_changes(applied.changes),
        spec=dict(as_json(applied.after.spec)),
        warnings=list(warnings) or None,
    ).as_json()
