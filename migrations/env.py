"""Alembic's entry: runs on the connection that ``webhook_service.store.migrate`` hands over."""

from typing import Any

from alembic import context

from webhook_service.store.indexes import metadata

tell = context.config.attributes.get("tell")


def _applied(ctx: Any, step: Any, heads: Any, run_args: Any) -> None:
    if tell is not None:
        tell(step.up_revision_id)


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    on_version_apply=_applied,
)
with context.begin_transaction():
    context.run_migrations()
