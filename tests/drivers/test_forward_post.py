"""forwardPost: what reaches a Service, what an answer means, and where nothing may arrive."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from tests.drivers.faulty import Behaviour, Handler, Request, faulty
from tests.drivers.kills import WAYS, killed
from webhook_drivers.forward_post import ForwardPost, ForwardPostConfig
from webhook_drivers.kubernetes.api.breaker import FAILURES
from webhook_drivers.kubernetes.api.clusters import Clusters
from webhook_service import Call as ReceivedCall
from webhook_service import Done, DriverError, InvalidConfig, Retry
from webhook_service import Request as Call
from webhook_service.receiving.bodies.receiver import describe
from webhook_service.schemes.standard_webhooks import is_signed
from webhook_service.testing import Ask, FakeCluster, Reply, sample_context

CONTEXT = sample_context(execution="exe_1", project="1a5")
CALL = Call(
    body=b'{"hello": "world"}\x00',
    headers={
        "content-type": "application/json",
        "traceparent": "00-1",
        "authorization": "Bearer secret",
        "cookie": "secret",
        "x-forwarded-for": "10.0.0.1",
    },
    query={"key": "whk_secret", "projectId": "1a5", "token": "secret", "branch": "a b&c"},
)


def config(**more: Any) -> ForwardPostConfig:
    values = {"projectId": "shop", "serviceName": "pipeline", "port": "80", "path": "/v1"}
    return ForwardPostConfig.model_validate(values | more)


SIGNING_SECRET = "whsec_" + "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
OTHER_SECRET = "whsec_" + "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY="


def service(address: str = "", port: int = 80, **spec: Any) -> dict[str, Any]:
    base: dict[str, Any] = {"ports": [{"port": port, "name": "http"}], "selector": {"app": "ci"}}
    if address:
        base["clusterIP"] = address
    metadata = {"name": "pipeline", "namespace": "shop"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": base | spec}


def pods() -> dict[str, Any]:
    labels = {"app": "ci"}
    container = {"name": "ci", "image": "acme/ci:1", "ports": [{"containerPort": 80}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": "ci", "namespace": "shop"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


@contextmanager
def driver_of(fake: FakeCluster, folder: Path, **options: Any) -> Iterator[ForwardPost]:
    path = fake.write_kubeconfig(folder / "kubeconfig")
    with closing(ForwardPost({"kubeconfig": str(path), **options})) as driver:
        yield driver


@pytest.fixture
def driver(fake: FakeCluster, tmp_path: Path) -> Iterator[ForwardPost]:
    with driver_of(fake, tmp_path) as driver:
        yield driver


@pytest.fixture
def local(fake: FakeCluster, tmp_path: Path) -> Iterator[ForwardPost]:
    """May call this machine, as an operator can allow it."""
    with driver_of(fake, tmp_path, allow_private=["127.0.0.0/8"]) as driver:
        yield driver


def proxied(fake: FakeCluster, reply: Reply) -> list[Ask]:
    """A Service whose pods answer so, and what they are asked."""
    asked: list[Ask] = []

    def answer(ask: Ask, pod: dict[str, Any]) -> Reply:
        asked.append(ask)
        return reply

    fake.apply(service())
    fake.apply(pods())
    fake.answer("shop", "pipeline", answer)
    deadline = time.monotonic() + 30
    while '"addresses"' not in json.dumps(fake.list("Endpoints", "shop")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return asked


@contextmanager
def direct(fake: FakeCluster, behaviour: Behaviour) -> Iterator[list[Request]]:
    """A Service whose address is that of a server that behaves so, and its requests."""
    with faulty(behaviour) as (url, requests):
        fake.apply(service("127.0.0.1", int(url.rpartition(":")[2])))
        yield requests


DIRECT = config(via="direct", port="http", timeoutSeconds=1)


def test_the_api_servers_proxy_passes_the_call_on(driver: ForwardPost, fake: FakeCluster) -> None:
    asked = proxied(fake, Reply(201, b"queued"))
    outcome = driver.execute(config(), CALL, CONTEXT)
    assert outcome == Done((), "http://pipeline.shop:80 answered 201: queued")
    (ask,) = asked
    assert (ask.method, ask.path, ask.query) == ("POST", "/v1", "branch=a+b%26c")
    assert ask.body == CALL.body
    assert ask.headers["webhook-id"] == "exe_1"
    assert ask.headers["content-type"] == "application/json"
    assert ask.headers["traceparent"] == "00-1"
    assert "secret" not in str(ask)


def test_a_call_is_signed_as_standard_webhooks_say(driver: ForwardPost, fake: FakeCluster) -> None:
    asked = proxied(fake, Reply(200, b""))
    driver.execute(config(signingSecret=SIGNING_SECRET), CALL, CONTEXT)
    (ask,) = asked
    signed = ReceivedCall(ask.body, ask.headers)
    assert is_signed(signed, [SecretStr(SIGNING_SECRET)], time.time())
    assert not is_signed(signed, [SecretStr(OTHER_SECRET)], time.time())


@pytest.mark.parametrize(
    "secret", ["hunter2", "whsec_", "whsec_aHVudGVyMg==", "whsec_a*" + "a" * 40]
)
def test_what_cannot_sign_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(ValidationError) as refused:
        config(signingSecret=secret)
    problem = "signingSecret: must be whsec_ and 24 to 64 bytes in base64"
    assert describe(refused.value) == problem


def with_headers(*names: str) -> dict[str, str]:
    return {name: name.upper() for name in names}


SIGNED = with_headers("x-github-event", "x-hub-signature", "x-hub-signature-256", "x-gitlab-token")


@pytest.mark.parametrize(
    ("fields", "passed"),
    [
        ({}, SIGNED),
        ({"headers": []}, {}),
        ({"headers": ["X-Own", "x-github-event"]}, with_headers("x-own", "x-github-event")),
    ],
)
def test_the_headers_that_the_owner_names_are_passed_on(
    driver: ForwardPost, fake: FakeCluster, fields: dict[str, Any], passed: dict[str, str]
) -> None:
    asked = proxied(fake, Reply(200))
    sent = replace(CALL, headers={**SIGNED, **with_headers("x-own", "x-other")})
    driver.execute(config(**fields), sent, CONTEXT)
    assert {name: asked[0].headers.get(name) for name in passed} == passed
    others = {*SIGNED, "x-own", "x-other"} - {*passed}
    assert not others & {name.lower() for name in asked[0].headers}


@pytest.mark.parametrize(
    "name",
    ["Authorization", "cookie", "proxy-authorization", "x-forwarded-for", "Host", "x-api-roles"]
    + ["connection", "content-length", "te", "webhook-id", "x-a b", "", "x" * 65],
)
def test_a_header_that_is_never_passed_on_cannot_be_named(name: str) -> None:
    with pytest.raises(ValidationError):
        config(headers=["x-own", name])


def test_a_direct_call_brings_the_same(local: ForwardPost, fake: FakeCluster) -> None:
    with direct(fake, lambda handler: handler.reply(200, b"ok")) as requests:
        outcome = local.execute(DIRECT, CALL, CONTEXT)
    assert isinstance(outcome, Done) and outcome.message.endswith("answered 200: ok")
    (request,) = requests
    assert request.path == "/v1?branch=a+b%26c"
    assert request.content == CALL.body
    assert request.headers["webhook-id"] == "exe_1"
    assert request.headers["host"].startswith("pipeline.shop.svc:")
    assert "secret" not in str(request.headers)


@pytest.mark.parametrize(
    ("status", "error", "reason"),
    [
        (400, DriverError, "status_400"),
        (404, DriverError, "status_404"),
        (302, DriverError, "status_302"),
        (408, Retry, "transient"),
        (429, Retry, "transient"),
        (500, Retry, "transient"),
        (503, Retry, "transient"),
    ],
)
@pytest.mark.parametrize("via", ["proxy", "direct"])
def test_the_status_decides_what_becomes_of_the_call(
    local: ForwardPost,
    fake: FakeCluster,
    via: str,
    status: int,
    error: type[DriverError],
    reason: str,
) -> None:
    headers = {"Location": "http://127.0.0.1:1/", "Retry-After": "7"}
    with pytest.raises(DriverError, match=f"answered {status}") as caught:
        if via == "proxy":
            proxied(fake, Reply(status, b"so it is", headers))
            local.execute(config(), CALL, CONTEXT)
        with direct(fake, lambda handler: handler.reply(status, b"so it is", **headers)):
            local.execute(DIRECT, CALL, CONTEXT)
    assert type(caught.value) is error and caught.value.reason == reason
    assert not isinstance(caught.value, Retry) or caught.value.after == 7


@pytest.mark.parametrize("via", ["proxy", "direct"])
def test_of_a_long_answer_the_first_4_kib_are_kept(
    local: ForwardPost, fake: FakeCluster, via: str
) -> None:
    body = b"a\x1b[31mb\x00\n" + b"x" * 100_000
    if via == "proxy":
        proxied(fake, Reply(200, body))
        outcome = local.execute(config(), CALL, CONTEXT)
    else:
        with direct(fake, lambda handler: handler.reply(200, body)):
            outcome = local.execute(DIRECT, CALL, CONTEXT)
    assert isinstance(outcome, Done)
    kept = outcome.message.partition(": ")[2].partition(": ")[2] or outcome.message
    assert "ab\nxxx" in kept and "\x1b" not in kept and len(kept) <= 4096 + 60


def endless(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(10**12))
    handler.end_headers()
    try:
        while not handler.released.is_set():
            handler.wfile.write(b"x" * 4096)
    except OSError:
        return


def slow(handler: Handler) -> None:
    handler.released.wait(10)


def dripping(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    while not handler.released.wait(0.1):
        handler.wfile.write(b"x")


def test_an_endless_answer_is_left_after_its_start(local: ForwardPost, fake: FakeCluster) -> None:
    with direct(fake, endless):
        outcome = local.execute(DIRECT, CALL, CONTEXT)
    assert isinstance(outcome, Done) and outcome.message.count("x") >= 4000


@pytest.mark.parametrize("behaviour", [slow, dripping])
def test_a_slow_service_is_called_again_later(
    local: ForwardPost, fake: FakeCluster, behaviour: Behaviour
) -> None:
    started = time.monotonic()
    with direct(fake, behaviour), pytest.raises(Retry, match="did not answer in time"):
        local.execute(DIRECT, CALL, CONTEXT)
    assert time.monotonic() - started < 5


def test_a_slow_or_angry_service_does_not_take_the_cluster_from_others(
    fake: FakeCluster, tmp_path: Path
) -> None:
    proxied(fake, Reply(401))
    clusters = Clusters({"kubeconfig": str(fake.write_kubeconfig(tmp_path / "kubeconfig"))})
    with closing(ForwardPost(clusters=clusters)) as driver:
        transport = clusters.get().transport
        with pytest.raises(DriverError, match="answered 401"):
            driver.execute(config(), CALL, CONTEXT)
        released = Event()

        def hang(ask: Ask, pod: dict[str, Any]) -> Reply:
            released.wait(10)
            return Reply()

        fake.answer("shop", "pipeline", hang)
        slow = config(timeoutSeconds=1)

        def call(number: int) -> str:
            with pytest.raises(Retry, match="did not answer through the API server") as caught:
                driver.execute(slow, CALL, CONTEXT)
            return caught.value.reason

        with ThreadPoolExecutor(FAILURES + 1) as pool:
            assert set(pool.map(call, range(FAILURES + 1))) == {"unreachable"}
        released.set()
        driver.validate(config(), CONTEXT)
        assert clusters.get().transport is transport


def test_a_refused_connection_is_tried_again_later(
    local: ForwardPost, driver: ForwardPost, fake: FakeCluster
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    fake.apply(service("127.0.0.1", port))
    with pytest.raises(Retry, match="cannot be reached"):
        local.execute(DIRECT, CALL, CONTEXT)
    with pytest.raises(Retry, match="could not post to Service shop/pipeline"):
        driver.execute(config(port=str(port)), CALL, CONTEXT)


def test_nothing_reaches_a_canary_outside_of_the_services(
    driver: ForwardPost, local: ForwardPost, fake: FakeCluster
) -> None:
    with faulty(lambda handler: handler.reply(200, b"secret")) as (url, hits):
        port = int(url.rpartition(":")[2])
        for spec in (
            service("127.0.0.1", port),
            service("::1", port),
            service("None", port),
            service("", port, type="ExternalName", externalName="127.0.0.1"),
            service("169.254.169.254", port),
        ):
            fake.apply(spec)
            with pytest.raises(DriverError, match="address") as caught:
                driver.execute(DIRECT, CALL, CONTEXT)
            assert not isinstance(caught.value, Retry)
            with pytest.raises(InvalidConfig):
                driver.validate(DIRECT, CONTEXT)
            fake.delete("Service", "shop", "pipeline")
        with (
            direct(fake, lambda handler: handler.reply(307, b"", Location=url)),
            pytest.raises(DriverError, match="a redirect, which is not followed"),
        ):
            local.execute(DIRECT, CALL, CONTEXT)
        assert hits == []


def test_the_path_stays_below_the_services_part_of_the_url(
    driver: ForwardPost, fake: FakeCluster
) -> None:
    before = fake.list("ConfigMap")
    for path in (
        "/../../../../../api/v1/namespaces/shop/configmaps",
        "../../configmaps",
        "/./..",
        "/%2e%2e/%2e%2e/configmaps",
        "/a?b=c",
        "/a#b",
        "/a\r\nHost: other",
        "\\..\\..",
    ):
        with pytest.raises(ValidationError):
            config(path=path)
    for field, value in (
        ("port", "80/proxy/../../../configmaps"),
        ("serviceName", "pipeline:80/proxy/.."),
        ("projectId", "../kube-system"),
        ("serviceName", "https:pipeline"),
    ):
        with pytest.raises(ValidationError):
            config(**{field: value})
    proxied(fake, Reply())
    body = json.dumps({"metadata": {"name": "stolen"}}).encode()
    driver.execute(config(path="//a/...//b"), Call(body=body), CONTEXT)
    assert fake.list("ConfigMap") == before


def test_a_namespace_that_the_project_was_not_granted_is_not_called(
    fake: FakeCluster, tmp_path: Path
) -> None:
    asked = proxied(fake, Reply())
    with driver_of(fake, tmp_path, namespaces={"1a5": ["other"]}) as driver:
        with pytest.raises(DriverError, match="may not touch namespace shop"):
            driver.execute(config(), CALL, CONTEXT)
        with pytest.raises(InvalidConfig, match="may not touch namespace shop"):
            driver.validate(config(), CONTEXT)
    assert asked == []


def test_what_does_not_exist_is_refused_at_creation(driver: ForwardPost, fake: FakeCluster) -> None:
    with pytest.raises(InvalidConfig, match='services "pipeline" in namespace shop was not found'):
        driver.validate(config(), CONTEXT)
    fake.apply(service())
    with pytest.raises(InvalidConfig, match=r"has no port 81 \(it has 80\)"):
        driver.validate(config(port="81"), CONTEXT)
    driver.validate(config(port="http"), CONTEXT)
    fake.deny("create", "services/proxy")
    with pytest.raises(InvalidConfig, match="Not allowed to create services/proxy in namespace"):
        driver.validate(config(), CONTEXT)


def test_a_service_that_is_gone_ends_the_call(driver: ForwardPost) -> None:
    with pytest.raises(DriverError) as caught:
        driver.execute(config(), CALL, CONTEXT)
    assert caught.value.reason == "not_found"


def test_a_repeated_call_bears_the_same_id(driver: ForwardPost, fake: FakeCluster) -> None:
    asked = proxied(fake, Reply())
    for _ in range(2):
        driver.execute(config(), CALL, CONTEXT)
    assert [ask.headers["webhook-id"] for ask in asked] == ["exe_1", "exe_1"]


@pytest.mark.parametrize("after", WAYS)
def test_a_call_that_dies_on_its_way_arrives_at_least_once(
    fake: FakeCluster, tmp_path: Path, after: bool
) -> None:
    asked = proxied(fake, Reply())
    with killed(fake, tmp_path, ForwardPost, 1, after) as kill:
        assert isinstance(kill.run(config(), CALL, CONTEXT), Done)
    assert [ask.headers["webhook-id"] for ask in asked] == ["exe_1"] * (1 + after)


def test_the_plan_says_where_a_call_would_go_and_sends_nothing(
    driver: ForwardPost, fake: FakeCluster
) -> None:
    asked = proxied(fake, Reply())
    plan = driver.plan(config(), CALL, CONTEXT)
    assert plan.notes == ("It would post 19 bytes to http://pipeline.shop:80/v1?branch=a+b%26c.",)
    assert asked == []
