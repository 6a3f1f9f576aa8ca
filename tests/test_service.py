import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.support import (
    PROJECT,
    SECRET,
    add_receiver,
    make_service,
    push,
    receiver_body,
    sqlite_url,
)
from webhook_service.driver import Context, Done, DriverConfig, Outcome, Request, WebhookDriver
from webhook_service.errors import (
    InvalidConfig,
    InvalidPayload,
    InvalidRequest,
    NotFound,
    PluginUnavailable,
    StoreUnavailable,
    Unauthenticated,
    UnknownKey,
)
from webhook_service.formats.format import Format, FormatOptions, Parsed
from webhook_service.model.delivery import Call, DeliveryState
from webhook_service.model.execution import ExecutionState, Verdict
from webhook_service.model.people.tokens import Role
from webhook_service.model.receiver import ReceiverState
from webhook_service.schemes.scheme import Scheme, SchemeOptions
from webhook_service.service import WebhookService
from webhook_service.settings import load_settings
from webhook_service.store.queue.queue import Fenced
from webhook_service.store.tables import micros
from webhook_service.testing.samples import dockerhub_push
from webhook_service.testing.stub import StubDriver

RULES = {"repositories": ["acme/shop"], "tags": {"policy": "semver", "value": "^1.2"}}
UNSIGNED = {"scheme": "none"}


class RawDriver(WebhookDriver[DriverConfig, Request]):
    """Takes the call as it is."""

    consumes = Request

    def execute(self, config: DriverConfig, event: Request, context: Context) -> Outcome:
        return Done(message=event.body.decode())


class Token(SchemeOptions):
    token: str


class TokenScheme(Scheme[Token]):
    Options = Token
    computes_only = True

    def check(self, call: Call, options: Token) -> None:
        if call.headers.get("x-token") != options.token:
            raise Unauthenticated("The call is not signed.")


class CrashingFormat(Format):
    def parse(self, body: bytes, headers: object, options: FormatOptions) -> Parsed:
        raise IndexError("hunter2")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WebhookService]:
    drivers = {"stub": StubDriver, "raw": RawDriver}
    with make_service(sqlite_url(tmp_path), drivers, run=False) as service:
        service.schemes.add("token", TokenScheme)
        service.formats.add("crashing", CrashingFormat)
        yield service


def test_settings_that_are_none_are_told_what_to_write() -> None:
    url: Any = "sqlite:///hooks.db"
    with pytest.raises(TypeError, match="load_settings[(]database_url="):
        WebhookService.open(url)


def test_a_push_within_the_rules_is_accepted_with_one_execution(service: WebhookService) -> None:
    receiver, key = add_receiver(service, match=RULES, verify=UNSIGNED)
    delivery = push(service, key)
    assert (delivery.state, delivery.receiver) == (DeliveryState.ACCEPTED, receiver)
    execution = service.get_execution(PROJECT, delivery.executions[0])
    assert (execution.delivery, execution.state) == (delivery.id, "queued")
    assert service.get_delivery(PROJECT, delivery.id) == delivery


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ({"tag": "2.0.0"}, "tag_mismatch"),
        ({"repository": "evil/shop"}, "repository_mismatch"),
        ({"repository": "evil.example/acme/shop"}, "repository_mismatch"),
    ],
)
def test_a_push_outside_the_rules_is_kept_as_ignored_with_its_reason(
    service: WebhookService, sent: dict[str, str], reason: str
) -> None:
    _, key = add_receiver(service, match=RULES, verify=UNSIGNED)
    delivery = push(service, key, **sent)  # type: ignore[arg-type]
    assert (delivery.state, delivery.reason) == (DeliveryState.IGNORED, reason)
    assert service.get_delivery(PROJECT, delivery.id).reason == reason
    assert service.list_executions(PROJECT).items == ()


def test_six_equal_calls_are_one_execution(service: WebhookService) -> None:
    _, key = add_receiver(service)
    found = [push(service, key) for _ in range(6)]
    assert [delivery.state for delivery in found] == ["accepted"] + ["duplicate"] * 5
    assert {delivery.duplicate_of for delivery in found[1:]} == {found[0].id}


@pytest.mark.parametrize(
    "key", ["", "x", "whk_short", "whk_" + "A" * 43, "' OR 1=1 --", "whk_" + "é" * 43]
)
def test_every_key_that_is_not_live_gets_the_same_answer(service: WebhookService, key: str) -> None:
    receiver, revoked = add_receiver(service)
    service.delete_receiver(PROJECT, receiver)
    messages = set()
    for tried in (key, revoked):
        with pytest.raises(UnknownKey) as error:
            push(service, tried)
        messages.add(error.value.message)
    assert len(messages) == 1


def test_a_key_works_in_its_own_project_only(service: WebhookService) -> None:
    _, key = add_receiver(service)
    with pytest.raises(UnknownKey):
        push(service, key, project="other")


def test_a_suspended_receiver_records_and_runs_nothing(service: WebhookService) -> None:
    receiver, key = add_receiver(service)
    assert service.suspend_receiver(PROJECT, receiver).spec.state is ReceiverState.SUSPENDED
    delivery = push(service, key)
    assert (delivery.state, delivery.reason) == (DeliveryState.IGNORED, "suspended")
    service.resume_receiver(PROJECT, receiver)
    assert push(service, key).state is DeliveryState.ACCEPTED


def test_a_raw_request_reaches_its_driver_without_credentials(service: WebhookService) -> None:
    body = {"name": "raw", "driver": "raw"}
    receiver = service.create_receiver(PROJECT, body)
    key = service.receiver_key(PROJECT, receiver.id)
    call = Call(
        b"hello",
        {"content-type": "text/plain", "authorization": "secret", "cookie": "secret"},
        {"key": key, "projectId": PROJECT, "x": "1"},
    )
    first, second = (service.accept(PROJECT, key, call) for _ in range(2))
    assert (first.state, second.state) == (DeliveryState.ACCEPTED, DeliveryState.ACCEPTED)
    event = service.get_execution(PROJECT, first.executions[0]).event
    assert event == Request(body=b"hello", headers={"content-type": "text/plain"}, query={"x": "1"})
    service.suspend_receiver(PROJECT, receiver.id)
    assert service.accept(PROJECT, key, call).reason == "suspended"


def test_a_call_that_is_not_proven_genuine_is_only_a_refused_one(service: WebhookService) -> None:
    verify = {"scheme": "token", "token": "t"}
    _, key = add_receiver(service, verify=verify)
    with pytest.raises(Unauthenticated):
        push(service, key)
    assert _states(service) == ["refused"]
    assert service.list_executions(PROJECT).items == ()


def test_a_body_of_another_format_is_only_a_refused_call(service: WebhookService) -> None:
    _, key = add_receiver(service)
    with pytest.raises(InvalidPayload):
        service.accept(PROJECT, key, Call(b'{"events": []}'))
    assert _states(service) == ["refused"]


def test_a_crashing_format_is_a_refusal_without_its_words(service: WebhookService) -> None:
    _, key = add_receiver(service, source={"format": "crashing"}, verify=UNSIGNED)
    with pytest.raises(PluginUnavailable) as error:
        push(service, key)
    assert "hunter2" not in error.value.message


def test_an_update_takes_effect_on_the_next_call(service: WebhookService) -> None:
    receiver, key = add_receiver(service)
    assert push(service, key, "2.0.0").state is DeliveryState.ACCEPTED
    service.update_receiver(PROJECT, receiver, {"match": RULES})
    assert push(service, key, "2.0.1").reason == "tag_mismatch"
    assert service.receiver_key(PROJECT, receiver) == key


def test_a_rotated_key_replaces_the_old_one(service: WebhookService) -> None:
    receiver, old = add_receiver(service)
    new = service.rotate_key(PROJECT, receiver, timedelta(0))
    assert service.receiver_key(PROJECT, receiver) == new
    assert push(service, new).state is DeliveryState.ACCEPTED
    with pytest.raises(UnknownKey):
        push(service, old)


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({"stubConfig": {"valid": False}}, InvalidConfig, "told to refuse"),
        ({"source": {"format": "nope"}, "verify": UNSIGNED}, PluginUnavailable, "format 'nope'"),
        ({"verify": {"scheme": "nope"}}, PluginUnavailable, "scheme 'nope'"),
        ({"verify": {"scheme": "token"}}, InvalidConfig, "verify.token"),
        ({"verify": {"scheme": "none", "x": 1}}, InvalidConfig, "verify.x"),
        ({"match": {"when": "("}, "verify": UNSIGNED}, InvalidConfig, "CEL"),
        ({"match": {"repositories": ["A"]}, "verify": UNSIGNED}, InvalidConfig, "lower case"),
    ],
)
def test_a_receiver_that_cannot_work_is_not_created(
    service: WebhookService, fields: dict[str, object], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        service.create_receiver(PROJECT, receiver_body(**fields))
    assert service.list_receivers(PROJECT).items == ()


def test_an_update_that_cannot_work_changes_nothing(service: WebhookService) -> None:
    receiver, _ = add_receiver(service)
    with pytest.raises(InvalidConfig):
        service.update_receiver(PROJECT, receiver, {"stubConfig": {"valid": False}})
    assert service.get_receiver(PROJECT, receiver).version == 1


def test_foreign_ids_answer_like_unknown_ones(service: WebhookService) -> None:
    receiver, key = add_receiver(service)
    delivery = push(service, key)
    for call in (
        lambda: service.get_receiver("other", receiver),
        lambda: service.receiver_key("other", receiver),
        lambda: service.delete_receiver("other", receiver),
        lambda: service.update_receiver("other", receiver, {}),
        lambda: service.rotate_key("other", receiver),
        lambda: service.suspend_receiver("other", receiver),
        lambda: service.get_delivery("other", delivery.id),
        lambda: service.get_execution("other", delivery.executions[0]),
    ):
        with pytest.raises(NotFound):
            call()
    assert service.list_receivers("other").items == ()


@pytest.mark.parametrize("project", ["", "x" * 256, "a\nb"])
def test_a_project_id_that_cannot_be_used_is_refused(service: WebhookService, project: str) -> None:
    with pytest.raises(InvalidConfig, match="project id"):
        service.create_receiver(project, receiver_body())
    with pytest.raises(InvalidConfig, match="project id"):
        service.create_token(project)


def test_a_token_is_bound_to_its_project_and_role(service: WebhookService) -> None:
    token, secret = service.create_token(PROJECT, Role.READONLY)
    found = service.store.tokens.find(secret)
    assert found == token
    assert (found.project, found.role) == (PROJECT, Role.READONLY)


def test_a_closed_store_accepts_nothing(tmp_path: Path) -> None:
    service = make_service(sqlite_url(tmp_path), run=False)
    _, key = add_receiver(service)
    service.stop()
    with pytest.raises(StoreUnavailable):
        push(service, key)


def test_a_service_opens_from_settings_with_the_installed_plugins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_SERVICE_DATABASE_URL", sqlite_url(tmp_path))
    service = WebhookService.open()
    assert "deploymentUpdate" in service.drivers.names
    assert {"dockerhub", "distribution", "alicloud", "azure"} <= set(service.formats.names)
    assert {"none", "github", "hmac", "standardWebhooks", "oidc"} <= set(service.schemes.names)
    service.stop()


def test_an_ended_execution_can_be_replayed_as_the_newest(service: WebhookService) -> None:
    _, key = add_receiver(service)
    first = push(service, key).executions[0]
    with pytest.raises(InvalidRequest, match="queued"):
        service.interventions.replay(PROJECT, first)
    service.interventions.cancel(PROJECT, first)
    replay = service.interventions.replay(PROJECT, first)
    old = service.get_execution(PROJECT, first)
    assert (replay.state, replay.event, replay.identity) == ("queued", old.event, old.identity)
    assert replay.id != first and replay.order_key > old.order_key
    assert push(service, key).state is DeliveryState.DUPLICATE


def test_a_replay_as_of_then_keeps_its_place_in_the_order(service: WebhookService) -> None:
    _, key = add_receiver(service)
    first = push(service, key).executions[0]
    service.interventions.cancel(PROJECT, first)
    replay = service.interventions.replay(PROJECT, first, as_of=True)
    old = service.get_execution(PROJECT, first)
    assert replay.order_key.partition("-")[0] == old.order_key.partition("-")[0]


def test_a_cancelled_execution_never_runs_and_its_worker_is_refused(
    service: WebhookService,
) -> None:
    _, key = add_receiver(service)
    execution = push(service, key).executions[0]
    (claim,) = service.store.claims.claim(1)
    cancelled = service.interventions.cancel(PROJECT, execution, force=True)
    assert cancelled.state == "cancelled"
    with pytest.raises(Fenced):
        service.store.claims.record(claim, Verdict(ExecutionState.SUCCEEDED))
    assert service.store.claims.claim(1) == []
    (attempt,) = service.get_execution(PROJECT, execution).attempts
    assert attempt.state == "cancelled" and attempt.finished is not None
    with pytest.raises(InvalidRequest, match="ended already"):
        service.interventions.cancel(PROJECT, execution)


def test_foreign_executions_can_be_neither_replayed_nor_cancelled(service: WebhookService) -> None:
    _, key = add_receiver(service)
    execution = push(service, key).executions[0]
    for project, id_ in (("other", execution), (PROJECT, "exe_unknown")):
        with pytest.raises(NotFound, match="^Execution not found$"):
            service.interventions.cancel(project, id_)
        with pytest.raises(NotFound, match="^Execution not found$"):
            service.interventions.replay(project, id_)


def test_a_simulation_says_what_would_happen_and_stores_nothing(service: WebhookService) -> None:
    receiver, _ = add_receiver(service, match=RULES, verify=UNSIGNED)
    passing = service.simulate(PROJECT, receiver, Call(dockerhub_push("acme/shop", "1.2.3")))
    assert [work.subject for work in passing.planned] == ["docker.io/acme/shop:1.2.3"]
    assert passing.planned[0].plan.notes and passing.ignored == ()
    refused = service.simulate(PROJECT, receiver, Call(dockerhub_push("acme/shop", "2.0.0")))
    assert [item.reason for item in refused.ignored] == ["tag_mismatch"]
    assert refused.planned == ()
    with pytest.raises(InvalidPayload):
        service.simulate(PROJECT, receiver, Call(b"no json"))
    assert service.list_deliveries(PROJECT).items == ()


def test_a_push_in_a_freeze_window_is_held_and_the_newest_released_after_it(
    service: WebhookService,
) -> None:
    freeze = [{"cron": "* * * * *", "minutes": 60}]
    receiver, key = add_receiver(service, match={"freeze": freeze}, verify=UNSIGNED)
    older, newer = (push(service, key, tag, pushed_at=None) for tag in ("1", "2"))
    assert (older.state, newer.state) == (DeliveryState.ACCEPTED, DeliveryState.ACCEPTED)
    held = service.get_execution(PROJECT, newer.executions[0])
    assert (held.state, held.reason) == ("held", "frozen")
    assert held.due is not None and held.due > newer.received
    assert service.store.claims.claim(10) == []
    now = text(f"UPDATE executions SET due = {micros(newer.received)}")
    service.store.database.write(lambda connection: connection.execute(now))
    assert service.store.claims.claim(10) == [], "the window is still open"
    service.update_receiver(PROJECT, receiver, {"match": {"freeze": []}})
    service.store.database.write(lambda connection: connection.execute(now))
    (claim,) = service.store.claims.claim(10)
    assert claim.execution.id == newer.executions[0]
    assert service.get_execution(PROJECT, older.executions[0]).state == "superseded"


def test_the_registry_is_asked_only_about_hosts_that_the_receiver_names(
    service: WebhookService,
) -> None:
    body = receiver_body(registry={"resolve": True}, verify=UNSIGNED)
    with pytest.raises(InvalidConfig, match="name the repositories with their registry"):
        service.create_receiver(PROJECT, body)
    named = {**body, "match": {"repositories": ["acme/shop"]}}
    receiver = service.create_receiver(PROJECT, named)
    assert receiver.spec.registry is not None and receiver.spec.registry.resolve
    stored = service.get_receiver(PROJECT, receiver.id)
    assert stored.spec == receiver.spec


def test_a_keyless_signer_that_cannot_be_checked_is_refused_at_once(
    service: WebhookService, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = {"identityRegexp": "kim@.*", "issuer": "https://issuer.example"}
    body = receiver_body(verify=UNSIGNED, match={"repositories": ["acme/shop"]})
    worse = {"cosignKeyless": {**signer, "identityRegexp": "(?=kim)"}}
    with pytest.raises(InvalidConfig, match="registry.cosignKeyless.identityRegexp: this is no"):
        service.create_receiver(PROJECT, {**body, "registry": worse})
    asked = {**body, "registry": {"cosignKeyless": signer}}
    receiver = service.create_receiver(PROJECT, asked)
    assert service.get_receiver(PROJECT, receiver.id).spec == receiver.spec
    monkeypatch.setitem(sys.modules, "sigstore", None)
    with pytest.raises(InvalidConfig, match=r"pip install 'webhook-service\[sigstore\]'"):
        service.create_receiver(PROJECT, {**asked, "name": "other"})


def test_a_filter_of_what_an_image_says_needs_a_registry_that_is_asked(
    service: WebhookService,
) -> None:
    match = {"repositories": ["acme/shop"], "when": "image.revision != null"}
    body = receiver_body(match=match, verify=UNSIGNED)
    for registry in ({}, {"registry": {"resolve": False}}):
        with pytest.raises(InvalidConfig, match='add "registry": {"resolve": true}'):
            service.create_receiver(PROJECT, {**body, **registry})
    assert service.create_receiver(PROJECT, {**body, "registry": {"resolve": True}})


def _states(service: WebhookService) -> list[str]:
    service.store.database.write(lambda connection: None)
    return [delivery.state for delivery in service.list_deliveries(PROJECT).items]


LATER = {"httpcore", "kubernetes", "celery", "psycopg", "jinja2", "sigstore", "dulwich", "jwt"}


def test_a_service_loads_what_is_heavy_when_it_is_needed_only(tmp_path: Path) -> None:
    """Calls of other servers, clusters, brokers and the other database may never be needed."""
    code = (
        "import sys\n"
        "from webhook_service import WebhookService, load_settings\n"
        f"settings = load_settings(database_url={sqlite_url(tmp_path)!r}, secret_key={SECRET!r})\n"
        "with WebhookService.open(settings) as service:\n"
        "    import webhook_service.host.server\n"
        "    service.backlog()\n"
        f"    print(sorted({LATER!r} & sys.modules.keys()))\n"
        "    assert 'gitCommit' in service.drivers.plugins.names\n"
        f"    print(sorted({LATER - {'jwt'}!r} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout.split(), done.returncode) == (["[]", "[]"], 0), done.stderr


def test_a_second_start_says_that_it_runs_and_harms_nothing(tmp_path: Path) -> None:
    settings = load_settings(database_url=sqlite_url(tmp_path), listen="127.0.0.1:0")
    with WebhookService.open(settings) as service:
        with pytest.raises(RuntimeError, match="runs already.*manage_service=False"):
            service.start()
        assert not service.is_stuck


def test_a_second_stop_does_and_says_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service = make_service(sqlite_url(tmp_path))
    service.start()
    service.stop()
    caplog.clear()
    service.stop()
    assert caplog.messages == []
