"""Executions and revisions as JSON."""

from __future__ import annotations

import re
from typing import Any

from webhook_service.driver import PushEvent, Request
from webhook_service.errors import Change
from webhook_service.host.http.links import Links
from webhook_service.model.as_json import event_to_json
from webhook_service.model.execution import Approval, Attempt, Execution
from webhook_service.model.history.replays import Replayed
from webhook_service.model.history.revision import Revision
from webhook_service.model.receiver import HIDDEN
from webhook_service.resources import (
    ApprovalResource,
    AttemptResource,
    ChangeResource,
    ExecutionResource,
    PushResource,
    RawCallResource,
    ReplayedResource,
    RevisionResource,
    VoteResource,
)

Json = dict[str, Any]

_PROOF = re.compile("token|secret|signature|key|password")


def execution_json(execution: Execution, links: Links, *, attempts: bool) -> Json:
    """An execution; in collections it comes without its attempts and votes."""
    return ExecutionResource(
        type="execution",
        id=execution.id,
        project_id=execution.project,
        receiver=execution.receiver,
        delivery=execution.delivery,
        driver=execution.driver,
        slot=execution.slot,
        state=execution.state,
        reason=execution.reason,
        message=execution.message,
        event=_event(execution.event),
        changes=[change_resource(change) for change in execution.changes],
        superseded_by=execution.superseded_by,
        rolls_back=execution.rolls_back,
        replay_of=execution.replay_of,
        requested_by=execution.requested_by,
        interruption=execution.interruption,
        interrupted_by=execution.interrupted_by,
        let_through=execution.let_through,
        approval=_approval(execution.approval, votes=attempts),
        created=execution.created,
        due=execution.due,
        finished=execution.finished,
        attempts=[attempt_resource(attempt) for attempt in execution.attempts]
        if attempts
        else None,
        links={
            "self": links.to(f"/executions/{execution.id}"),
            "delivery": links.to(f"/deliveries/{execution.delivery}"),
            "receiver": links.to(f"/receivers/{execution.receiver}"),
        },
        actions={},
    ).as_json()


def replayed_json(found: Replayed, dry_run: bool) -> Json:
    """What was replayed at once, or would be."""
    return ReplayedResource(
        type="replay",
        dry_run=dry_run,
        replayed=list(found.replayed),
        executions=list(found.executions),
        remaining=found.remaining,
    ).as_json()


def revision_json(revision: Revision, links: Links) -> Json:
    """One revision in a receiver's history; its id is the execution's."""
    execution = revision.execution
    event = event_to_json(execution.event)
    return RevisionResource(
        type="revision",
        id=execution.id,
        image=event["image"],
        slot=execution.slot,
        state=execution.state,
        live=revision.live,
        held=revision.held,
        standing=revision.standing,
        note=revision.note,
        changed=execution.changed,
        finished=execution.finished,
        by=execution.requested_by or event["actor"],
        rolls_back=execution.rolls_back,
        replay_of=execution.replay_of,
        links={"self": links.to(f"/executions/{execution.id}")},
        actions={},
    ).as_json()


def change_resource(change: Change) -> ChangeResource:
    return ChangeResource(
        target=change.target, field=change.field, before=change.before, after=change.after
    )


def _event(event: PushEvent | Request) -> PushResource | RawCallResource:
    """The event as people see it: what a raw call was signed or proven with is not shown."""
    found = event_to_json(event)
    if isinstance(event, PushEvent):
        return PushResource(**found)
    return RawCallResource(**{**found, "headers": shown_headers(event)})


def shown_headers(request: Request) -> dict[str, str]:
    """The headers of a raw call; what proves who sent it is hidden."""
    return {
        name: HIDDEN if _PROOF.search(name) else value for name, value in request.headers.items()
    }


def _approval(approval: Approval | None, *, votes: bool) -> ApprovalResource | None:
    if approval is None:
        return None
    said = [
        VoteResource(voter=vote.voter, approved=vote.approved, at=vote.at)
        for vote in approval.votes
    ]
    return ApprovalResource(
        needed=approval.needed, until=approval.until, votes=said if votes else None
    )


def attempt_resource(attempt: Attempt) -> AttemptResource:
    return AttemptResource(
        number=attempt.number,
        started=attempt.started,
        finished=attempt.finished,
        state=attempt.state,
        message=attempt.message,
        steps=attempt.steps,
    )
