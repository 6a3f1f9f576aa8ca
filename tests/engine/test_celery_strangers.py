"""What others put on the broker: it is dropped with a line in the log, and the worker goes on."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from kombu import Connection
from redis import Redis as Client

from tests.engine.celery_site import Site
from tests.servers.process import Process
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.redis import Redis
from tests.support import push, sqlite_url, wait_for, wait_for_end
from webhook_service.engine.celery.app import QUEUE, TASK
from webhook_service.model.ids import EXECUTION, new_id

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]
ID = new_id(EXECUTION)
HEADERS: dict[str, Any] = {"task": TASK, "id": "1"}
EMBED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
DROPPED = "is not of this service, and was dropped"


def _body(*args: Any, kwargs: Any = None, embed: Any = None) -> str:
    return json.dumps([list(args), kwargs or {}, EMBED if embed is None else embed])


# What any broker carries: a body, headers, and the type of the body.
BAD = {
    "no JSON": ("hello", HEADERS, "application/json"),
    "empty": ("", HEADERS, "application/json"),
    "no list": ("{}", HEADERS, "application/json"),
    "null": ("null", HEADERS, "application/json"),
    "a short list": ("[[]]", HEADERS, "application/json"),
    "nested deeply": ("[" * 4000, HEADERS, "application/json"),
    "no id": (_body(), HEADERS, "application/json"),
    "two ids": (_body(ID, ID), HEADERS, "application/json"),
    "an id that is a list": (_body([ID]), HEADERS, "application/json"),
    "an id with NUL": (_body("exe_\0"), HEADERS, "application/json"),
    "an id with a surrogate": (_body("exe_\ud800"), HEADERS, "application/json"),
    "a huge id": (_body("exe_" + "1" * 8_000_000), HEADERS, "application/json"),
    "pickle": ("cos\nsystem\n(S'true'\ntR.", HEADERS, "application/x-python-serialize"),
    "yaml": ("!!python/object/apply:os.system [true]", HEADERS, "application/x-yaml"),
    "an unknown type": ("x", HEADERS, "nonsense"),
    "another task": (_body(ID), {"task": "celery.map", "id": "1"}, "application/json"),
    "a task that is a list": (_body(ID), {"task": [TASK], "id": "1"}, "application/json"),
    "no headers": (_body(ID), {}, "application/json"),
    "the first protocol": (json.dumps({"task": TASK, "id": 1, "args": 5}), {}, "application/json"),
    "an unknown compression": (_body(ID), {**HEADERS, "compression": "x"}, "application/json"),
}
# What names an execution, if one that nobody knows: its headers and the rest of its body are bad.
UNKNOWN = {
    "an unknown id": (_body(ID), HEADERS),
    "time limits that are texts": (_body(ID), {**HEADERS, "timelimit": ["a", "b"]}),
    "time limits of a moment": (_body(ID), {**HEADERS, "timelimit": [1e-9, 1e-9]}),
    "an eta that is none": (_body(ID), {**HEADERS, "eta": "tomorrow"}),
    "an eta far away": (_body(ID), {**HEADERS, "eta": "9999-12-31T23:59:59"}),
    "an expiry that is a list": (_body(ID), {**HEADERS, "expires": [1]}),
    "no id of the task": (_body(ID), {"task": TASK}),
    "an id that is an object": (_body(ID), {**HEADERS, "id": {"a": 1}, "root_id": [], "group": {}}),
    "retries that are a text": (_body(ID), {**HEADERS, "retries": "many"}),
    "a chain": (_body(ID, embed={**EMBED, "chain": [{"task": TASK, "args": 1}]}), HEADERS),
    "callbacks": (_body(ID, embed={"callbacks": "x", "errbacks": 1}), HEADERS),
    "unknown arguments": (_body(ID, kwargs={"x": 1}), HEADERS),
    "rest that is a text": (json.dumps([[ID], "a", "b"]), HEADERS),
}
# What only Redis carries: items of its list that are no messages at all.
ITEMS = [
    *("hello", "", "[]", "5", "null", "{}", '"x"', "[" * 100_000, "\\", "{"),
    '{"properties": 1}',
    '{"body": 1, "headers": {}, "properties": {}}',
    '{"body": "e30=", "headers": [], "properties": {"delivery_tag": "a", "delivery_info": {}}}',
    '{"body": "%", "headers": {}, "content-type": "application/json", "content-encoding": "x", '
    '"properties": {"delivery_tag": "a", "body_encoding": "base64", '
    '"delivery_info": {"exchange": "", "routing_key": "x"}}}',
    '{"body": "e30=", "headers": {"task": [1]}, "properties": {"delivery_tag": ["a"], '
    '"body_encoding": [1], "delivery_info": {"exchange": [], "routing_key": {}}}}',
    '{"__type__": "datetime", "__value__": 5}',
    '{"__type__": [], "__value__": {}}',
]


@pytest.fixture(params=["rabbitmq", "redis"], scope="module")
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Site, Process, str]]:
    folder = tmp_path_factory.mktemp(request.param)
    broker: RabbitMQ | Redis = request.getfixturevalue(request.param)
    with Site(sqlite_url(folder), broker.url, folder) as site:
        yield site, site.start_worker(1), broker.url


def _put(url: str, body: str, headers: dict[str, Any], type_: str = "application/json") -> None:
    with Connection(url) as connection, connection.Producer() as producer:
        producer.publish(
            body,
            routing_key=QUEUE,
            headers=headers,
            content_type=type_,
            content_encoding="utf-8",
            retry=True,
        )


def _goes_on(site: Site, worker: Process, tag: str) -> None:
    """The next push runs, in the same worker."""
    execution = push(site.service, site.receiver(tag), tag).executions[0]
    assert wait_for_end(site.service, execution, 30).state == "succeeded"
    assert worker.running


def _dropped(worker: Process) -> int:
    return worker.log.read_text().count(DROPPED)


def test_malformed_messages_are_dropped_each_with_a_line(site: tuple[Site, Process, str]) -> None:
    here, worker, url = site
    for name, (body, headers, type_) in BAD.items():
        before = _dropped(worker)
        _put(url, body, headers, type_)
        wait_for(lambda: _dropped(worker) > before or not worker.running, 15)  # noqa: B023
        assert worker.running, name
    _goes_on(here, worker, "malformed")
    assert _dropped(worker) == len(BAD)
    assert worker.log.stat().st_size < 100_000  # a huge message is not written down


def test_of_a_message_its_execution_alone_is_believed(site: tuple[Site, Process, str]) -> None:
    here, worker, url = site
    before = _dropped(worker)
    for body, headers in UNKNOWN.values():
        _put(url, body, headers)
    _goes_on(here, worker, "unknown")
    assert _dropped(worker) == before
    assert "Traceback" not in worker.log.read_text()


def test_items_of_redis_that_are_no_messages_are_dropped(site: tuple[Site, Process, str]) -> None:
    here, worker, url = site
    if not url.startswith("redis"):
        return
    before = _dropped(worker)
    with Client.from_url(url) as client:
        client.lpush(QUEUE, *ITEMS)
    _goes_on(here, worker, "items")
    assert _dropped(worker) == before + len(ITEMS)


def test_a_message_for_a_held_push_runs_nothing(site: tuple[Site, Process, str]) -> None:
    here, worker, url = site
    approval = {"count": 1}
    key = here.receiver("held")
    here.service.update_receiver(
        "1a5", here.service.list_receivers("1a5").items[0].id, {"approval": approval}
    )
    held = push(here.service, key, "held").executions[0]
    _put(url, _body(held), HEADERS)
    _goes_on(here, worker, "after-held")
    assert here.read(held).state == "held"
    assert here.calls("held") == []
