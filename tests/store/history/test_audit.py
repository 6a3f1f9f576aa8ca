"""The audit: each change with its entry, and no entry without its change."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from tests.store.builders import NOW, accept, add_receiver, work
from tests.support import PROJECT
from webhook_service.errors import (
    ChangedMeanwhile,
    InvalidConfig,
    InvalidRequest,
    NotFound,
    StoreUnavailable,
)
from webhook_service.model.as_json import time_to_json
from webhook_service.model.execution import Execution, ExecutionState, Verdict
from webhook_service.model.history.replays import ReplayFilter
from webhook_service.model.ids import EXECUTION, RECEIVER, new_id, new_key, new_token
from webhook_service.model.pages import PageRequest
from webhook_service.model.people.audit import Actor, AuditAction, AuditEntry
from webhook_service.model.people.tokens import Role, Token
from webhook_service.model.receiver import Receiver, ReceiverSpec, ReceiverState, Verify
from webhook_service.model.rules.approval import ApprovalRule
from webhook_service.people.rollback import way_back
from webhook_service.store.retention import PruningStore
from webhook_service.store.store import Store

ANN = Actor("ann", "api", "192.0.2.7")
SECRET = "a secret of the receiver"
SPEC = ReceiverSpec(
    name="shop", driver="stub", verify=Verify(scheme="github", secrets={"secret": SECRET})
)


@pytest.fixture
def receiver(store: Store) -> Receiver:
    made = Receiver(new_id(RECEIVER), PROJECT, SPEC, NOW, NOW)
    store.receivers.add(made, new_key())
    return made


def entries(store: Store, project: str = PROJECT, **filters: str) -> list[AuditEntry]:
    return list(store.audit.page(project, PageRequest(filters=filters)).items)


def ended(store: Store, receiver: str, state: ExecutionState, tag: str = "1") -> Execution:
    push = work(tag, at=int(tag))
    accept(store, receiver, push)
    (claim,) = store.claims.claim(1)
    store.claims.record(claim, Verdict(state, "done"))
    return store.executions.get(PROJECT, push.execution)


def undecided(store: Store, receiver: str) -> str:
    push = replace(work("9"), approval=ApprovalRule(count=1))
    accept(store, receiver, push)
    return push.execution


def update(store: Store, receiver: Receiver) -> str:
    store.receivers.update(receiver, SPEC.model_copy(update={"name": "new"}), ANN)
    return receiver.id


def suspend_by_update(store: Store, receiver: Receiver) -> str:
    spec = SPEC.model_copy(update={"state": ReceiverState.SUSPENDED})
    store.receivers.update(receiver, spec, ANN)
    return receiver.id


def suspend(store: Store, receiver: Receiver) -> str:
    store.receivers.suspend(PROJECT, receiver.id, ANN)
    return receiver.id


def resume(store: Store, receiver: Receiver) -> str:
    store.receivers.resume(PROJECT, receiver.id, ANN)
    return receiver.id


def rotate(store: Store, receiver: Receiver) -> str:
    store.receivers.rotate(PROJECT, receiver.id, new_key(), timedelta(hours=1), ANN)
    return receiver.id


def remove(store: Store, receiver: Receiver) -> str:
    store.receivers.remove(PROJECT, receiver.id, ANN)
    return receiver.id


def create_token(store: Store, receiver: Receiver) -> str:
    store.tokens.add(Token("tok_1", PROJECT, Role.MEMBER, NOW), new_token(), ANN)
    return "tok_1"


def revoke_token(store: Store, receiver: Receiver) -> str:
    store.tokens.add(Token("tok_1", PROJECT, Role.MEMBER, NOW), new_token())
    store.tokens.revoke("tok_1", ANN)
    return "tok_1"


def approve(store: Store, receiver: Receiver) -> str:
    held = undecided(store, receiver.id)
    store.approvals.approve(PROJECT, held, ANN, None)
    return held


def refuse(store: Store, receiver: Receiver) -> str:
    held = undecided(store, receiver.id)
    store.approvals.refuse(PROJECT, held, ANN)
    return held


def cancel(store: Store, receiver: Receiver) -> str:
    held = undecided(store, receiver.id)
    store.executions.cancel(PROJECT, held, ANN)
    return held


def abort(store: Store, receiver: Receiver) -> str:
    held = undecided(store, receiver.id)
    store.executions.abort(PROJECT, held, ANN)
    return held


def replay(store: Store, receiver: Receiver) -> str:
    failed = ended(store, receiver.id, ExecutionState.FAILED)
    store.replays.replay(PROJECT, failed.id, new_id(EXECUTION), False, ANN)
    return failed.id


def replay_all(store: Store, receiver: Receiver) -> str:
    failed = ended(store, receiver.id, ExecutionState.FAILED)
    store.replays.replay_all(PROJECT, ReplayFilter(), False, ANN)
    return failed.id


def roll_back(store: Store, receiver: Receiver) -> str:
    old, new = (ended(store, receiver.id, ExecutionState.SUCCEEDED, tag) for tag in "12")
    way = way_back([new, old])
    store.revisions.roll_back(receiver, way, new_id(EXECUTION), ANN)
    return receiver.id


@pytest.mark.parametrize(
    ("act", "action", "fields"),
    [
        (update, AuditAction.RECEIVER_UPDATED, {"name", "version"}),
        (suspend_by_update, AuditAction.RECEIVER_SUSPENDED, {"state", "version"}),
        (suspend, AuditAction.RECEIVER_SUSPENDED, {"state", "version"}),
        (resume, AuditAction.RECEIVER_RESUMED, {"version"}),
        (rotate, AuditAction.RECEIVER_ROTATED, {"key", "overlapSeconds"}),
        (create_token, AuditAction.TOKEN_CREATED, {"role"}),
        (revoke_token, AuditAction.TOKEN_REVOKED, {"revoked"}),
        (approve, AuditAction.EXECUTION_APPROVED, {"state"}),
        (refuse, AuditAction.EXECUTION_REFUSED, {"state"}),
        (cancel, AuditAction.EXECUTION_CANCELLED, {"state"}),
        (replay, AuditAction.EXECUTION_REPLAYED, {"replay"}),
        (replay_all, AuditAction.EXECUTION_REPLAYED, {"replay"}),
        (roll_back, AuditAction.RECEIVER_ROLLED_BACK, {"image", "execution"}),
    ],
)
def test_each_act_is_one_entry_of_who_did_it_from_where(
    store: Store,
    receiver: Receiver,
    act: Callable[[Store, Receiver], str],
    action: AuditAction,
    fields: set[str],
) -> None:
    subject = act(store, receiver)
    (entry,) = entries(store, actor="ann")
    assert (entry.actor, entry.action, entry.subject) == (ANN, action, subject)
    assert {change.field for change in entry.changes} == fields
    about_token = subject.startswith("tok_")
    assert entry.receiver == (None if about_token else receiver.id)


def test_whoever_creates_and_deletes_is_named_with_all_fields(store: Store) -> None:
    made = Receiver(new_id(RECEIVER), PROJECT, SPEC, NOW, NOW)
    store.receivers.add(made, new_key(), ANN)
    remove(store, made)
    deleted, created = entries(store, actor="ann")
    assert created.action is AuditAction.RECEIVER_CREATED
    assert deleted.action is AuditAction.RECEIVER_DELETED
    for entry in (created, deleted):
        assert {"name", "driver", "verify.scheme", "verify.secret"} <= {
            change.field for change in entry.changes
        }


def test_an_update_that_also_suspends_is_two_entries(store: Store, receiver: Receiver) -> None:
    spec = SPEC.model_copy(update={"name": "new", "state": ReceiverState.SUSPENDED})
    store.receivers.update(receiver, spec, ANN)
    assert {entry.action for entry in entries(store, actor="ann")} == {
        AuditAction.RECEIVER_SUSPENDED,
        AuditAction.RECEIVER_UPDATED,
    }


def test_the_table_and_the_log_hold_no_secret_and_no_key(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    made, keys = Receiver(new_id(RECEIVER), PROJECT, SPEC, NOW, NOW), [new_key(), new_key()]
    store.receivers.add(made, keys[0], ANN)
    store.receivers.rotate(PROJECT, made.id, keys[1], timedelta(0), ANN)
    other = Verify(scheme="github", secrets={"secret": "another secret"})
    store.receivers.update(made, SPEC.model_copy(update={"verify": other}), ANN)
    remove(store, made)
    with store.database.read() as connection:
        found = connection.execute(text("SELECT * FROM audit")).all()
    rows = " ".join(str(value) for row in found for value in row)
    assert rows.count("verify.secret") == 3
    for secret in (SECRET, "another secret", *keys):
        assert secret not in rows and secret not in caplog.text


def test_each_entry_is_a_line_of_the_log(
    store: Store, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    update(store, receiver)
    (entry,) = entries(store, actor="ann")
    (line,) = [message for message in caplog.messages if entry.id in message]
    assert all(word in line for word in (receiver.id, "receiver.updated", "ann", "192.0.2.7"))


def test_what_is_refused_leaves_no_entry(store: Store, receiver: Receiver) -> None:
    store.receivers.suspend(PROJECT, receiver.id)
    taken = Receiver(new_id(RECEIVER), PROJECT, SPEC, NOW, NOW)
    for refused, error in (
        (lambda: update(store, receiver), ChangedMeanwhile),
        (lambda: store.receivers.add(taken, new_key(), ANN), InvalidConfig),
        (lambda: store.receivers.remove("1a6", receiver.id, ANN), NotFound),
        (lambda: store.receivers.suspend("1a6", receiver.id, ANN), NotFound),
        (lambda: store.receivers.rotate(PROJECT, "rcv_0", new_key(), timedelta(0), ANN), NotFound),
        (lambda: store.tokens.revoke("tok_0", ANN), NotFound),
        (lambda: store.executions.cancel(PROJECT, "exe_0", ANN), NotFound),
    ):
        with pytest.raises(error):
            refused()
    assert entries(store, actor="ann") == []


@pytest.mark.parametrize("act", [suspend, rotate, remove, update, create_token])
def test_a_change_whose_entry_cannot_be_stored_does_not_happen(
    store: Store, receiver: Receiver, act: Callable[[Store, Receiver], str]
) -> None:
    key = store.receivers.key(receiver.id)
    store.database.write(lambda connection: connection.execute(text("DROP TABLE audit")))
    with pytest.raises(StoreUnavailable):
        act(store, receiver)
    assert store.receivers.get(PROJECT, receiver.id) == receiver
    assert store.receivers.key(receiver.id) == key
    assert store.tokens.list() == ()


def test_a_receiver_that_cannot_be_read_can_be_deleted(store: Store, receiver: Receiver) -> None:
    broken = text('UPDATE receivers SET verify = \'{"scheme": "github", "sealed": "x"}\'')
    store.database.write(lambda connection: connection.execute(broken))
    remove(store, receiver)
    (entry,) = entries(store, actor="ann")
    assert [(change.field, change.before) for change in entry.changes] == [
        ("name", "shop"),
        ("driver", "stub"),
    ]


def test_entries_are_found_by_what_they_are_about(store: Store, receiver: Receiver) -> None:
    other, _ = add_receiver(store, "other")
    rotate(store, receiver)
    assert {entry.receiver for entry in entries(store, receiver=other)} == {other}
    assert len(entries(store, receiver=receiver.id)) == 2
    assert len(entries(store, action="receiver.created")) == 2
    assert len(entries(store, action="receiver.rotated", actor="ann", via="api")) == 1
    assert entries(store, actor="bob") == []


def test_entries_are_found_by_their_time(store: Store, receiver: Receiver) -> None:
    (first,) = entries(store)
    rotate(store, receiver)
    (second,) = entries(store, actor="ann")
    moment = time_to_json(second.at) or ""
    assert entries(store, since=moment) == [second]
    assert entries(store, until=moment) == [first]


def test_pages_go_on_without_a_gap_and_each_project_sees_its_own(
    store: Store, receiver: Receiver
) -> None:
    add_receiver(store, "theirs", project="1a6")
    for _ in range(4):
        suspend(store, receiver)
    seen, marker = list[AuditEntry](), None
    while True:
        page = store.audit.page(PROJECT, PageRequest(2, marker))
        seen += page.items
        if (marker := page.next) is None:
            break
    assert len(seen) == 5 and seen == sorted(seen, key=lambda entry: entry.id, reverse=True)
    assert {entry.project for entry in seen} == {PROJECT}
    assert len(entries(store, "1a6")) == 1


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("action", "receiver.exploded", "receiver.created"),
        ("since", "yesterday", "2026-11-22T10:00:00Z"),
        ("until", "2026-11-22T10:00:00", "2026-11-22T10:00:00Z"),
        ("color", "red", "receiver"),
    ],
)
def test_a_filter_that_means_nothing_is_refused_with_what_to_give(
    store: Store, name: str, value: str, advice: str
) -> None:
    with pytest.raises(InvalidRequest, match=advice):
        entries(store, **{name: value})


def test_old_entries_are_removed_and_new_ones_stay(store: Store, receiver: Receiver) -> None:
    for _ in range(2):
        suspend(store, receiver)
    year_ago = datetime.now(UTC) - timedelta(days=365)
    old = text("UPDATE audit SET at = :at")
    at = int(year_ago.timestamp() * 1_000_000)
    store.database.write(lambda connection: connection.execute(old, {"at": at}))
    rotate(store, receiver)
    pruning, cursor, removed = PruningStore(store.database, batch=2), "", 0
    while True:
        step = pruning.audit(cursor, year_ago + timedelta(days=1))
        cursor, removed = step.cursor, removed + step.count
        if step.done:
            break
    assert removed == 3
    assert [entry.action for entry in entries(store)] == [AuditAction.RECEIVER_ROTATED]
