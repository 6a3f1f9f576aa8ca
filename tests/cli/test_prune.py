"""``webhook-service prune``: what is old goes at once, and the rest stays."""

import json
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, text

from tests.cli.conftest import PROJECT, Run
from tests.support import push
from webhook_service.model.execution import ExecutionState, Verdict
from webhook_service.service import WebhookService

YEAR = timedelta(days=365) // timedelta(microseconds=1)


def fail_a_push(service: WebhookService, receiver: str, tag: str) -> None:
    push(service, service.receiver_key(PROJECT, receiver), tag, pushed_at=None)
    for claim in service.store.claims.claim(1):
        service.store.claims.record(claim, Verdict(ExecutionState.FAILED, "no"))


def _make_old(connection: Connection) -> None:
    for statement in (
        f"UPDATE executions SET created = created - {YEAR}, finished = finished - {YEAR}",
        f"UPDATE deliveries SET received = received - {YEAR}",
    ):
        connection.execute(text(statement))


def test_what_is_old_goes_and_the_rest_stays(run: Run, receiver: Any) -> None:
    with WebhookService.open(run=False) as service:
        fail_a_push(service, receiver["id"], "1.2.3")
        service.store.database.write(_make_old)
        fail_a_push(service, receiver["id"], "1.2.4")
    first = run("prune", "-o", "json")
    removed = json.loads(first.stdout)
    assert (first.exit_code, removed["executions"], removed["deliveries"]) == (0, 1, 1)
    assert "executions: 1 removed" in first.stderr.splitlines()
    (left,) = json.loads(run("execution", "list", "-o", "json").stdout)["data"]
    assert left["event"]["tag"] == "1.2.4"
    second = run("prune", "-o", "json")
    assert (second.stderr, set(json.loads(second.stdout).values())) == ("", {"pruned", 0})


def test_settings_say_what_stays(run: Run, receiver: Any, monkeypatch: Any) -> None:
    for name in ("KEEP_BODIES_DAYS", "KEEP_HISTORY_DAYS", "KEEP_AUDIT_DAYS"):
        monkeypatch.setenv(f"WEBHOOK_SERVICE_{name}", "0")
    assert json.loads(run("prune", "-o", "json").stdout) == {"type": "pruned", "keys": 0}
