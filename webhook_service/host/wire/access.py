"""The audit, tokens, projects and their holds as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from webhook_service.host.http.links import Links
from webhook_service.model.people.audit import AuditEntry, FieldChange
from webhook_service.model.people.hold import Hold
from webhook_service.model.people.projects import Project
from webhook_service.model.people.tokens import Token
from webhook_service.resources import (
    AuditEntryResource,
    FieldChangeResource,
    HoldResource,
    ProjectResource,
    TokenResource,
)

Json = dict[str, Any]


def audit_json(entry: AuditEntry, links: Links) -> Json:
    """An entry of the audit."""
    of = {} if entry.receiver is None else {"receiver": links.to(f"/receivers/{entry.receiver}")}
    return AuditEntryResource(
        type="auditEntry",
        id=entry.id,
        project_id=entry.project,
        at=entry.at,
        actor=entry.actor.name,
        via=entry.actor.via,
        address=entry.actor.address,
        action=entry.action,
        subject=entry.subject,
        receiver=entry.receiver,
        changes=field_changes(entry.changes),
        links=of,
        actions={},
    ).as_json()


def field_changes(changes: Iterable[FieldChange]) -> list[FieldChangeResource]:
    """Fields before and after."""
    return [
        FieldChangeResource(field=each.field, before=each.before, after=each.after)
        for each in changes
    ]


def token_json(token: Token, links: Links, secret: str | None = None) -> Json:
    """An API token; ``secret`` is for the answer to its creation alone."""
    return TokenResource(
        type="token",
        id=token.id,
        project_id=token.project,
        role=token.role,
        name=token.name,
        created=token.created,
        expires=token.expires,
        used=token.used,
        revoked=token.revoked,
        token=secret,
        links={"self": links.to(f"/tokens/{token.id}")},
        actions={},
    ).as_json()


def hold_json(hold: Hold, links: Links) -> Json:
    """A hold of a project."""
    return HoldResource(
        type="hold",
        id=hold.id,
        project_id=hold.project,
        name=hold.name,
        why=hold.why,
        by=hold.by,
        created=hold.created,
        links={"self": links.to(f"/holds/{hold.id}")},
        actions={},
    ).as_json()


def project_json(project: Project, links: Links) -> Json:
    """A project, and what it has."""
    kinds = ("receivers", "inboxes", "deliveries", "executions", "audit", "tokens", "holds")
    return ProjectResource(
        type="project",
        id=project.id,
        receivers=project.receivers,
        tokens=project.tokens,
        open_executions=project.open_executions,
        links={"self": links.to("/projects"), **{kind: links.to(f"/{kind}") for kind in kinds}},
        actions={},
    ).as_json()
