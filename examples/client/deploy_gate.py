"""A gate for a pipeline: wait until what a receiver was told last runs, else go back.

``python deploy_gate.py URL TOKEN RECEIVER``
"""

from __future__ import annotations

import sys

from webhook_service.client import Client, NotEnded, Rejected


def gate(client: Client, name: str, seconds: float = 600.0) -> int:
    """0 if the newest execution of a receiver succeeded; 1 if it did not, and was undone."""
    receiver = client.receivers.find(name)
    if receiver is None:
        print(f"There is no receiver {name!r}.", file=sys.stderr)
        return 2
    newest = next(client.executions.list(receiver=receiver.id, limit=1), None)
    if newest is None:
        print(f"{name} has not deployed anything yet.", file=sys.stderr)
        return 2
    try:
        ended = client.executions.wait(newest.id, seconds=seconds)
    except NotEnded as exc:
        print(exc.message, file=sys.stderr)
        return 2
    print(f"{ended.id} {ended.state.value}: {ended.message}")
    if ended.succeeded:
        return 0
    try:
        back = client.receivers.roll_back(receiver.id)
    except Rejected as exc:
        print(f"Nothing to go back to: {exc.message}", file=sys.stderr)
        return 1
    print(f"{back.id} goes back.")
    return 1


if __name__ == "__main__":
    with Client(sys.argv[1], sys.argv[2]) as opened:
        sys.exit(gate(opened, sys.argv[3]))
