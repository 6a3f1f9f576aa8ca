"""What happens is told, once, whatever becomes of the target; and no rollout waits for it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from tests.notifications.conftest import Answer, StartService, Target, add, ended, notices
from tests.support import PROJECT, add_receiver, push, stub_of, wait_for, wait_for_end
from webhook_service.driver import Done, Observed, Wait
from webhook_service.errors import (
    Change,
    DriverError,
    InvalidConfig,
    NotFound,
    Unauthenticated,
)
from webhook_service.model.delivery import Call
from webhook_service.model.execution import Execution, ExecutionState
from webhook_service.model.notice import Happened, Notice
from webhook_service.model.notification import notices_of
from webhook_service.model.pages import PageRequest
from webhook_service.model.people.audit import Actor
from webhook_service.model.people.tokens import Role
from webhook_service.notifications.texts import facts
from webhook_service.service import WebhookService
from webhook_service.store.tables import executions
from webhook_service.testing.signing import sign_standard_webhooks

KEY = "whsec_" + "c2VjcmV0" * 5
ALL = ["succeeded", "failed", "rolledBack", "held", "drifted", "refused"]


def deploy(service: WebhookService, step: Any, key: str = "", **fields: Any) -> Execution:
    """Push once; what came of it when the driver did this."""
    key = key or add_receiver(service, **fields)[1]
    stub_of(service).steps = [step]
    tag = f"1.0.{len(service.list_deliveries(PROJECT).items)}"
    (execution,) = push(service, key, tag).executions
    return wait_for_end(service, execution)


def told(target: Target, count: int = 1) -> list[dict[str, Any]]:
    return [got.json["data"] for got in target.wait(count)]


def make_due(service: WebhookService, project: str) -> None:
    """Let what waits in a project be due, as if the time had passed."""
    now = service.store.now() - timedelta(seconds=1)
    where = (executions.c.project == project, executions.c.state == "retrying")
    service.store.database.write(
        lambda connection: connection.execute(update(executions).where(*where).values(due=now))
    )


def test_a_failure_is_told_with_all_that_is_known(service: WebhookService, target: Target) -> None:
    add(service, target, webhookConfig={"url": f"{target.url}/hook", "secret": KEY})
    change = Change("c/n/Deployment/shop", "image", "acme/shop:0.9", "acme/shop:1")
    failed = deploy(service, DriverError("No pod starts.", code="no_pods", changes=[change]))
    (got,) = target.wait()
    assert (got.method, got.path) == ("POST", "/hook")
    assert got.json["type"] == "webhook-service.failed"
    data = got.json["data"]
    assert data["execution"] == failed.id and data["delivery"] == failed.delivery
    assert (data["receiver"]["name"], data["projectId"]) == ("shop", PROJECT)
    assert (data["state"], data["reason"], data["message"]) == (
        "failed",
        "no_pods",
        "No pod starts.",
    )
    assert data["event"]["image"] == failed.event.image  # type: ignore[union-attr]
    assert data["changes"][0]["after"] == "acme/shop:1"
    at, id_ = float(got.headers["webhook-timestamp"]), got.headers["webhook-id"]
    signed = sign_standard_webhooks(KEY, got.body, message_id=id_, timestamp=at)
    assert got.headers["webhook-signature"] == signed["webhook-signature"]


@pytest.mark.parametrize(
    ("step", "happened"),
    [
        (Done(), "succeeded"),
        (DriverError("no"), "failed"),
        (DriverError("no", code="rolled_back"), "rolledBack"),
    ],
)
def test_each_outcome_is_told_by_its_name(
    service: WebhookService, target: Target, step: Any, happened: str
) -> None:
    add(service, target, on=ALL)
    deploy(service, step)
    assert [one["happened"] for one in told(target)] == [happened]


def test_a_push_that_went_back_has_failed_too(service: WebhookService, target: Target) -> None:
    add(service, target, on=["failed"])
    deploy(service, DriverError("no", code="rolled_back"))
    assert told(target)[0]["happened"] == "rolledBack"


def test_only_what_is_asked_for_is_told(service: WebhookService, target: Target) -> None:
    made = add(service, target, on=["failed"])
    deploy(service, Done())
    deploy(service, DriverError("no"), name="second")
    assert [one["happened"] for one in told(target)] == ["failed"]
    assert len(ended(service, made)) == 1


@pytest.mark.parametrize(
    ("when", "passes"),
    [
        ("event.repository == 'acme/shop' && notice.happened == 'failed'", True),
        ("notice.receiver == 'other'", False),
        ("image.revision == null", True),
        ("event.tag", None),
    ],
)
def test_a_filter_decides_what_is_sent(
    service: WebhookService, target: Target, when: str, passes: bool | None
) -> None:
    made = add(service, target, when=when)
    deploy(service, DriverError("no"))
    (notice,) = ended(service, made)
    states = {True: "succeeded", False: "unchanged", None: "failed"}
    assert notice.state == states[passes], notice.message
    assert len(target.got) == (passes is True)


def test_what_waits_for_approval_is_told(service: WebhookService, target: Target) -> None:
    add(service, target, on=["held"])
    _, key = add_receiver(service, approval={"count": 2}, verify={"scheme": "none"})
    (execution,) = push(service, key).executions
    (data,) = told(target)
    assert (data["happened"], data["execution"]) == ("held", execution)
    assert data["approval"]["needed"] == 2 and data["approval"]["until"].endswith("Z")
    # The same push again is a copy, and nobody is told of it.
    push(service, key)
    service.interventions.refuse(PROJECT, execution, Actor("ada"))
    service.interventions.replay(PROJECT, execution, by=Actor("ada"))
    assert [one["happened"] for one in told(target, 2)] == ["held", "held"]
    assert len(target.got) == 2


def test_a_refused_call_is_told(service: WebhookService, target: Target) -> None:
    add(service, target, on=["refused"])
    add(service, target, project="other", on=["refused"])
    receiver, key = add_receiver(service)
    service.refusals.keep(PROJECT, key, Call(b"{"), Unauthenticated("The signature is wrong."))
    (data,) = told(target)
    assert (data["happened"], data["reason"]) == ("refused", "unauthenticated")
    assert data["message"] == "The signature is wrong."
    assert data["receiver"] == {"id": receiver, "name": "shop"}
    (refused,) = service.list_deliveries(PROJECT).items
    assert data["delivery"] == refused.id


def test_a_drift_is_told(service: WebhookService, target: Target) -> None:
    add(service, target, on=["drifted"])
    done = deploy(service, Done())
    seen = Observed(target="c/n/Deployment/shop", image="acme/shop:0.1")
    service.store.drifts.note(done, "acme/shop:1", [seen])
    service.store.drifts.note(done, "acme/shop:1", [seen])
    (data,) = told(target)
    assert data["message"] == "c/n/Deployment/shop runs acme/shop:0.1 instead of acme/shop:1."
    assert data["execution"] == done.id


def test_a_target_that_is_down_for_an_hour_is_told_after_it(
    service: WebhookService, target: Target
) -> None:
    made = add(service, target)
    target.answers = [Answer(503)] * 5
    deploy(service, DriverError("no"))
    for attempt in range(1, 6):
        wait_for(lambda: _is_retrying(service, made, attempt), 60)  # noqa: B023
        make_due(service, notices_of(PROJECT))
    (notice,) = ended(service, made)
    assert notice.state == "succeeded" and len(target.got) == 6
    # By the same id the target knows that it is the same notice.
    assert len({got.headers["webhook-id"] for got in target.got}) == 1


def _is_retrying(service: WebhookService, made: Any, attempt: int) -> bool:
    (notice,) = notices(service, made)
    found = service.notifications.notice(PROJECT, made.id, notice.id)
    # On a slow machine the next attempt may be over before anybody looks.
    return found.state is ExecutionState.RETRYING and len(found.attempts) >= attempt


def test_a_target_that_limits_calls_says_for_how_long(
    service: WebhookService, target: Target
) -> None:
    made = add(service, target)
    target.answers = [Answer(429, headers={"Retry-After": "1800"})]
    deploy(service, DriverError("no"))
    wait_for(lambda: _is_retrying(service, made, 1), 60)
    (notice,) = notices(service, made)
    assert notice.due is not None
    assert notice.due - service.store.now() > timedelta(minutes=29)


def test_a_target_that_refuses_is_a_dead_letter_that_can_be_sent_again(
    service: WebhookService, target: Target
) -> None:
    made = add(service, target)
    target.answers = [Answer(404)]
    deploy(service, DriverError("no"))
    (notice,) = ended(service, made)
    assert (notice.state, notice.reason) == ("failed", "status_404")
    again = service.notifications.replay(PROJECT, made.id, notice.id, by=Actor("ada"))
    newest, _ = ended(service, made, 2)
    assert (newest.id, newest.state, newest.replay_of) == (again.id, "succeeded", notice.id)
    assert target.got[0].json["data"] == target.got[1].json["data"]


def test_a_target_that_hangs_keeps_no_rollout_waiting(
    service: WebhookService, target: Target
) -> None:
    target.hang.clear()
    made = add(service, target)
    for number in range(6):
        deploy(service, DriverError("no"), name=f"shop-{number}")
    # Of one target one notice is on its way at a time, so workers are left.
    assert wait_for(lambda: target.got)
    assert deploy(service, Done(), name="last").state == "succeeded"
    assert len(target.got) == 1
    target.hang.set()
    assert {one.state for one in ended(service, made, 6)} == {"succeeded"}


def test_notices_are_none_of_the_projects_own_work(service: WebhookService, target: Target) -> None:
    made = add(service, target, on=ALL)
    target.answers = [Answer(404)]
    done = deploy(service, Done())
    ended(service, made)
    assert [one.id for one in service.list_executions(PROJECT).items] == [done.id]
    assert [project.id for project in service.list_projects()] == [PROJECT]
    figures = service.overview.figures(PROJECT)
    assert (figures.deployments, figures.failures) == (1, 0)
    with pytest.raises(NotFound):
        service.get_execution(PROJECT, notices(service, made)[0].id)


def test_another_project_hears_nothing_and_finds_nothing(
    service: WebhookService, target: Target
) -> None:
    mine = add(service, target, project=PROJECT)
    theirs = add(service, target, project="other", name="theirs", on=ALL)
    deploy(service, DriverError("no"))
    (notice,) = ended(service, mine)
    assert notices(service, theirs) == []
    calls: list[Any] = [
        lambda: service.notifications.get("other", mine.id),
        lambda: service.notifications.update("other", mine.id, {"name": "x"}),
        lambda: service.notifications.delete("other", mine.id),
        lambda: service.notifications.test("other", mine.id),
        lambda: service.notifications.notices("other", mine.id),
        lambda: service.notifications.notice("other", mine.id, notice.id),
        lambda: service.notifications.replay("other", mine.id, notice.id),
        lambda: service.notifications.replay("other", theirs.id, notice.id),
        lambda: service.notifications.replay(PROJECT, theirs.id, notice.id),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            call()
    assert [one.id for one in service.notifications.list("other").items] == [theirs.id]


def test_a_test_is_sent_whatever_is_filtered(service: WebhookService, target: Target) -> None:
    made = add(service, target, when="notice.happened == 'test'")
    sent = service.notifications.test(PROJECT, made.id, by=Actor("ada"))
    (notice,) = ended(service, made)
    assert (notice.id, notice.state) == (sent.id, "succeeded")
    (data,) = told(target)
    assert (data["happened"], data["by"]) == ("test", "ada")
    assert "link" not in data


def test_secrets_are_shown_nowhere_and_kept_by_updates(
    service: WebhookService, target: Target
) -> None:
    config = {"url": f"{target.url}/T0KEN", "secret": KEY}
    made = add(service, target, webhookConfig=config)
    target.answers = [Answer(404), Answer(200)]
    deploy(service, DriverError("no"))
    ended(service, made)
    changed = service.notifications.update(PROJECT, made.id, {"name": "renamed"})
    assert changed.spec.full_config == config and changed.version == 2
    deploy(service, DriverError("no"), name="second")
    assert [got.path for got in target.wait(2)] == ["/T0KEN", "/T0KEN"]
    audit = service.list_audit(PROJECT, PageRequest(limit=100)).items
    shown = repr([changed, audit, notices(service, made)])
    assert "T0KEN" not in repr(changed.spec.config) and "T0KEN" not in repr(audit)
    assert KEY not in shown
    with service.store.database.read() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM notifications").all()
    assert "T0KEN" not in repr(rows) and KEY not in repr(rows)


def test_secrets_open_after_the_key_is_rotated(service: WebhookService, target: Target) -> None:
    made = add(service, target)
    assert service.rotate_secret_key() == 1
    service.notifications.test(PROJECT, made.id)
    assert target.wait()


def test_a_deleted_notification_sends_nothing_more(service: WebhookService, target: Target) -> None:
    made = add(service, target)
    # It is not due by itself before the notification is deleted, however busy the machine is.
    target.answers = [Answer(429, headers={"Retry-After": "1800"})]
    deploy(service, DriverError("no"))
    wait_for(lambda: _is_retrying(service, made, 1), 60)
    (notice,) = notices(service, made)
    service.notifications.delete(PROJECT, made.id)
    make_due(service, notices_of(PROJECT))
    wait_for(lambda: _state(service, notice) == "cancelled", 60)
    assert len(target.got) == 1


def _state(service: WebhookService, notice: Execution) -> str:
    return service.store.executions.get(notices_of(PROJECT), notice.id).state


def test_a_worker_that_is_lost_three_times_is_told_once(
    service: WebhookService, target: Target
) -> None:
    made = add(service, target)
    stub_of(service).steps = [Wait(3600, {"n": 1})]
    _, key = add_receiver(service)
    (execution,) = push(service, key).executions
    wait_for(lambda: service.get_execution(PROJECT, execution).state == "waiting")
    now = service.store.now() - timedelta(seconds=1)
    lost = (
        update(executions)
        .where(executions.c.id == execution)
        .values(state="running", lost=2, lease_until=now, due=None)
    )
    service.store.database.write(lambda connection: connection.execute(lost))
    service.store.claims.sweep()
    assert service.get_execution(PROJECT, execution).state == "failed"
    (data,) = told(target)
    assert "3 times in a row" in data["message"]
    assert len(ended(service, made)) == 1


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"kind": "pigeon"}, "kind: say how people are told: cloudEvents, discord"),
        ({"on": []}, "on: "),
        ({"on": ["test"]}, "on: can have succeeded, failed"),
        ({"on": ["exploded"]}, "on: can have succeeded, failed"),
        ({"when": "notice.hapened == ''"}, "when: there is no field of notice 'hapened'"),
        ({"webhookConfig": {}}, "webhookConfig.url: "),
        ({"webhookConfig": {"url": "x", "secret": "short"}}, "must be whsec_ and 24 to 64 bytes"),
        ({"slackConfig": {}}, "slackConfig is not the config of this kind"),
    ],
)
def test_what_cannot_work_is_refused_by_name(
    service: WebhookService, target: Target, body: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidConfig) as caught:
        add(service, target, **body)
    assert problem in caught.value.message


def test_names_are_taken_once(service: WebhookService, target: Target) -> None:
    add(service, target)
    second = add(service, target, name="second")
    with pytest.raises(InvalidConfig, match="named 'ops' already"):
        add(service, target)
    with pytest.raises(InvalidConfig, match="named 'ops' already"):
        service.notifications.update(PROJECT, second.id, {"name": "ops"})


def test_what_is_told_is_told_also_if_the_service_stops_before(
    start: StartService, target: Target
) -> None:
    first = start()
    target.answers = [Answer(503)]
    made = add(first, target)
    deploy(first, DriverError("no"))
    wait_for(lambda: _is_retrying(first, made, 1), 60)
    first.stop()
    second = start()
    make_due(second, notices_of(PROJECT))
    assert {one.state for one in ended(second, made)} == {"succeeded"}


def test_people_read_the_name_of_a_token_and_programs_its_id(
    service: WebhookService, target: Target
) -> None:
    token, _ = service.create_token(PROJECT, Role.MEMBER, name="Ada's laptop")
    foreign, _ = service.create_token("other", Role.MEMBER, name="nobody here")
    add(service, target, webhookConfig={"url": target.url})
    done = deploy(service, DriverError("no"))
    for asker in (token.id, foreign.id, "plain"):
        stub_of(service).steps = [DriverError(f"{asker} stopped it.")]
        again = service.interventions.replay(PROJECT, done.id, by=Actor(asker))
        wait_for_end(service, again.id)
    _, ours, others, plain = told(target, 4)
    assert (ours["by"], ours["byName"]) == (token.id, "Ada's laptop")
    assert ours["message"] == "Ada's laptop stopped it."
    assert others["by"] == foreign.id and "byName" not in others
    assert plain["message"] == "plain stopped it." and "byName" not in plain


def test_a_message_names_who_asked() -> None:
    notice = Notice(
        happened=Happened.FAILED,
        project="p",
        at="",
        receiver="shop",
        receiver_id="rcv_1",
        by="tok_1",
        by_name="Ada",
    )
    assert dict(facts(Notice.from_bytes(notice.to_bytes())))["By"] == "Ada"
    older = replace(notice, by_name="")
    assert b"by_name" not in older.to_bytes()
    assert dict(facts(Notice.from_bytes(older.to_bytes())))["By"] == "tok_1"
