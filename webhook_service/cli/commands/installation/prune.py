"""``webhook-service prune``: remove what is old at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webhook_service.cli.connection.connect import connect_local
from webhook_service.cli.options import Output, OutputOption
from webhook_service.cli.output import print_record
from webhook_service.cli.progress import Lines, progress

if TYPE_CHECKING:
    from webhook_service.chores.retention import Prune


def prune(output: OutputOption = Output.TABLE) -> None:
    """Remove what is older than the settings keep.

    It says how much that was. The service does the same by itself once an hour, slowly. Use this
    after you have lowered a setting, or before a backup. The service may run meanwhile.
    """
    from webhook_service.chores.retention import prunings

    with connect_local("prune") as (service, settings), progress("looks for what is old") as shown:
        removed = {each.name: _remove(each, shown) for each in prunings(service.store, settings)}
    print_record(output, {"type": "pruned", **removed})


def _remove(pruning: Prune, shown: Lines) -> int:
    """Remove to the end; how many rows that was."""
    count, cursor, done = 0, "", False
    while not done:
        step = pruning.step(cursor)
        count, cursor, done = count + step.count, step.cursor, step.done
        shown.show(f"{pruning.name}: {count} removed")
    if count:
        shown.tell(f"{pruning.name}: {count} removed")
    return count
