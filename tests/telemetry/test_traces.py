"""Spans as a collector gets them: from memory, and over OTLP from a real one on the loopback."""

import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from tests.host.served import serving
from tests.servers.listener import Listener
from tests.support import PROJECT, add_receiver, make_service, sqlite_url, stub_of, wait_for
from webhook_service.driver import Context, Done, Outcome, PushEvent, Wait
from webhook_service.errors import DriverError
from webhook_service.net.outbound import Outbound
from webhook_service.telemetry import otel, tracing
from webhook_service.testing.samples import dockerhub_push
from webhook_service.testing.stub import StubConfig, StubDriver

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
SECRET = "s3cret-of-a-caller"


class Calling(StubDriver):
    """A driver that calls another server at each step."""

    url = ""

    def execute(self, config: StubConfig, event: PushEvent, context: Context) -> Outcome:
        outbound = Outbound(allow_private=[ip_network("127.0.0.0/8")])
        try:
            outbound.post(f"{self.url}?token={SECRET}")
        finally:
            outbound.close()
        return super().execute(config, event, context)


class Collected:
    """The spans that have ended, by name."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        provider = otel.new_provider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        tracing.set_tracer(otel.OtelTracer(provider))

    def all(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        assert wait_for(lambda: self.all(name))
        (span,) = self.all(name)
        return span


@pytest.fixture
def collected() -> Iterator[Collected]:
    yield Collected()
    tracing.set_tracer(None)


@pytest.fixture
def peer() -> Iterator[Listener]:
    with Listener() as listener:
        yield listener


def call(folder: Path, *steps: Outcome | Exception, url: str, key: str = "") -> httpx.Response:
    """Call the endpoint once, as a sender with a trace does, and wait for what comes of it."""
    service = make_service(sqlite_url(folder), {"stub": Calling})
    stub = stub_of(service)
    assert isinstance(stub, Calling)
    stub.url, stub.steps = url, [*steps]
    with serving(service) as served:
        _, made = add_receiver(service)
        query = {"key": key or made, "projectId": PROJECT}
        answer = httpx.post(
            f"{served.base}/v1-webhooks/endpoint",
            params=query,
            content=dockerhub_push("acme/shop", "1"),
            headers={"traceparent": f"00-{TRACE}-{PARENT}-01"},
        )
        for execution in service.list_executions(PROJECT).items:
            assert wait_for(lambda id_=execution.id: service.get_execution(PROJECT, id_).finished)
    return answer


def ids(span: ReadableSpan) -> tuple[int, int]:
    context = span.context
    assert context is not None
    return context.trace_id, context.span_id


def test_a_call_goes_on_with_its_senders_trace_and_leads_to_its_execution(
    tmp_path: Path, collected: Collected, peer: Listener
) -> None:
    call(tmp_path, Wait(0.05, {}), Done(), url=peer.url)
    received, execution = collected.one("webhook call"), collected.one("webhook execution")
    assert received.kind is SpanKind.SERVER and received.parent is not None
    assert (received.context.trace_id, received.parent.span_id) == (int(TRACE, 16), int(PARENT, 16))
    (link,) = received.links
    assert (link.context.trace_id, link.context.span_id) == ids(execution)
    steps = collected.all("webhook step")
    assert [step.attributes["webhook.state"] for step in steps] == ["waiting", "succeeded"]
    for step in steps:
        assert step.parent is not None
        assert (step.parent.trace_id, step.parent.span_id) == ids(execution)
    assert execution.parent is None and execution.start_time <= steps[0].start_time
    assert execution.attributes["webhook.delivery"] == received.attributes["webhook.delivery"]


def test_each_outbound_call_is_a_part_of_its_step_and_tells_no_secret(
    tmp_path: Path, collected: Collected, peer: Listener
) -> None:
    call(tmp_path, Done(), url=peer.url)
    step, outbound = collected.one("webhook step"), collected.one("POST")
    assert outbound.parent is not None
    assert (outbound.parent.trace_id, outbound.parent.span_id) == ids(step)
    assert outbound.kind is SpanKind.CLIENT
    assert dict(outbound.attributes) == {
        "http.request.method": "POST",
        "server.address": "127.0.0.1",
        "http.response.status_code": 200,
    }
    told = "".join(span.to_json() for span in collected.exporter.get_finished_spans())
    assert SECRET not in told and "whk_" not in told


def test_a_failed_rollout_is_an_error_with_its_code(
    tmp_path: Path, collected: Collected, peer: Listener
) -> None:
    call(tmp_path, DriverError("no", code="not_found"), url=peer.url)
    for name in ("webhook step", "webhook execution"):
        span = collected.one(name)
        assert span.status.status_code is StatusCode.ERROR
        assert span.attributes["error.type"] == "not_found"


def test_a_refused_call_is_an_error_without_its_text(
    tmp_path: Path, collected: Collected, peer: Listener
) -> None:
    key = "whk_" + "x" * 43
    assert call(tmp_path, url=peer.url, key=key).status_code >= 400
    span = collected.one("webhook call")
    assert span.status.status_code is StatusCode.ERROR and not span.events
    assert span.attributes["error.type"] == "UnknownKey" and key not in span.to_json()


def test_a_collector_gets_the_spans_over_otlp() -> None:
    with Listener() as collector:
        stop = otel.start(collector.url.removesuffix("/hook"))
        try:
            with tracing.span("webhook call", "server", {"webhook.project": PROJECT}):
                pass
        finally:
            stop()
        (call,) = collector.wait_for(1)
    assert call.path == "/v1/traces"
    sent = ExportTraceServiceRequest.FromString(call.body)
    (resource,) = sent.resource_spans
    named = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert named["service.name"] == "webhook-service"
    (span,) = resource.scope_spans[0].spans
    assert span.name == "webhook call"
    assert [(each.key, each.value.string_value) for each in span.attributes] == [
        ("webhook.project", PROJECT)
    ]


def test_nothing_is_imported_without_the_setting() -> None:
    source = (
        "import sys; import webhook_service.host, webhook_service.cli.commands.installation.serve;"
        "from webhook_service.telemetry.traces import trace_to; trace_to(None)();"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", source], timeout=60, check=False).returncode == 0


def test_without_the_extra_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from webhook_service.errors import SettingsError
    from webhook_service.telemetry.traces import trace_to

    monkeypatch.setitem(sys.modules, "webhook_service.telemetry.otel", None)
    with pytest.raises(SettingsError, match=r"webhook-service\[otel\]"):
        trace_to("http://127.0.0.1:4318")
