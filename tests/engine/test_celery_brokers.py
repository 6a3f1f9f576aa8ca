"""Brokers as operators run them: demoted, moved, shared, with too few rights."""

import re
import shlex
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import amqp
import pytest
from celery.worker import WorkController, loops

from tests.engine.celery_site import Site
from tests.servers.certificates import self_signed, server_side
from tests.servers.process import Process
from tests.servers.proxy import Proxy
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.redis import Redis
from tests.support import push, sqlite_url, wait_for, wait_for_end
from webhook_service.engine.celery.app import QUEUE, make_app
from webhook_service.engine.celery.consumer import Consumer
from webhook_service.engine.celery.publisher import BrokerUnavailable, Publisher
from webhook_service.settings import load_settings

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]
ENGINES = (Path(__file__).parents[2] / "docs/engines.md").read_text()
QUORUM = {"x-queue-type": "quorum"}


@pytest.fixture
def pair() -> Iterator[tuple[Redis, Redis]]:
    """Two servers of the test's own: one becomes the other's replica."""
    with Redis() as one, Redis() as two:
        yield one, two


@pytest.fixture
def own_rabbitmq(rabbitmq: RabbitMQ) -> Iterator[RabbitMQ]:
    """The broker, with no queue of ours before and after."""
    delete_queue(rabbitmq)
    yield rabbitmq
    delete_queue(rabbitmq)


def delete_queue(rabbitmq: RabbitMQ) -> None:
    with rabbitmq.connect() as connection:
        connection.channel().queue_delete(QUEUE)


def make_queue(rabbitmq: RabbitMQ, arguments: dict[str, str]) -> None:
    with rabbitmq.connect() as connection:
        connection.channel().queue_declare(
            QUEUE, durable=True, auto_delete=False, arguments=arguments
        )


def lines(worker: Process) -> list[str]:
    """The worker's log, without what Celery says of the account that runs it."""
    return [line for line in worker.log.read_text().splitlines() if line.startswith("20")]


def run_to_its_end(site: Site) -> tuple[int | None, list[str]]:
    """Run a worker that does not start; its exit code and its log."""
    worker = site.worker()
    with pytest.raises(Exception, match="ended"):
        worker.start(lambda: False, 60)
    return worker.exit_code, lines(worker)


@pytest.mark.redis
def test_a_worker_outlives_a_demoted_redis_and_says_so_once(
    pair: tuple[Redis, Redis], tmp_path: Path
) -> None:
    one, two = pair
    with Site(sqlite_url(tmp_path), one.url, tmp_path) as site:
        worker = site.start_worker(1)
        key = site.receiver("r")
        assert wait_for_end(site.service, push(site.service, key, "1").executions[0])
        with one.client() as client:
            client.replicaof("127.0.0.1", two.port)
            later = push(site.service, key, "2").executions[0]
            wait_for(lambda: "does not serve" in worker.log.read_text())
            time.sleep(3)
            client.replicaof("NO", "ONE")
        assert wait_for_end(site.service, later, 20).state == "succeeded"
        wait_for(lambda: "serves this worker again" in worker.log.read_text())
        assert worker.running
        faults = [line for line in lines(worker) if "WARNING" in line]
        assert 1 <= len(faults) <= 4, faults
        assert "Traceback" not in worker.log.read_text()


@pytest.mark.rabbitmq
def test_a_worker_outlives_a_queue_that_is_deleted_and_a_connection_that_is_closed(
    own_rabbitmq: RabbitMQ, tmp_path: Path
) -> None:
    with Site(sqlite_url(tmp_path), own_rabbitmq.url, tmp_path) as site:
        worker = site.start_worker(1)
        key = site.receiver("r")
        for number, harm in enumerate((None, delete_queue, close_connections)):
            if harm is not None:
                harm(own_rabbitmq)
            made = push(site.service, key, str(number)).executions[0]
            assert wait_for_end(site.service, made, 30).state == "succeeded"
        assert worker.running


@pytest.mark.rabbitmq
def test_a_queue_that_is_deleted_while_a_worker_begins_is_made_again(
    own_rabbitmq: RabbitMQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_first, deleted = loops._quick_drain, threading.Event()

    def unlucky(connection: object) -> None:
        if not deleted.is_set():
            delete_queue(own_rabbitmq)
            deleted.set()
        read_first(connection)

    monkeypatch.setattr(loops, "_quick_drain", unlucky)
    app = make_app(load_settings(engine="celery", broker_url=own_rabbitmq.url))
    worker = WorkController(app=app, consumer_cls=Consumer, pool="solo", without_mingle=True)
    thread = threading.Thread(target=worker.start, daemon=True)
    thread.start()
    wait_for(lambda: deleted.is_set() and consumers(own_rabbitmq) == 1)
    worker.stop()
    thread.join(30)
    assert not thread.is_alive()


def consumers(rabbitmq: RabbitMQ) -> int:
    with suppress(amqp.NotFound), rabbitmq.connect() as connection:
        return int(connection.channel().queue_declare(QUEUE, passive=True).consumer_count)
    return 0


def close_connections(rabbitmq: RabbitMQ) -> None:
    rabbitmq.control("close_all_connections", "a test")


@pytest.mark.rabbitmq
def test_a_queue_with_other_arguments_ends_the_worker_in_one_line(
    own_rabbitmq: RabbitMQ, tmp_path: Path
) -> None:
    make_queue(own_rabbitmq, QUORUM)
    with Site(sqlite_url(tmp_path), own_rabbitmq.url, tmp_path) as site:
        code, log = run_to_its_end(site)
    assert code == 1
    [line] = [line for line in log if "INFO" not in line]
    assert "inequivalent arg 'x-queue-type'" in line
    assert "WEBHOOK_SERVICE_BROKER_QUEUE_TYPE" in line


@pytest.mark.rabbitmq
@pytest.mark.parametrize(
    ("user", "vhost", "says"),
    [
        ("weak", "%2F", "rights to configure, write and read"),
        ("nobody", "%2F", "user and password"),
        ("guest", "nosuch", "virtual host"),
    ],
)
def test_what_only_a_person_can_mend_ends_the_worker_in_one_line(
    own_rabbitmq: RabbitMQ, tmp_path: Path, user: str, vhost: str, says: str
) -> None:
    if user == "weak":
        own_rabbitmq.control("add_user", "weak", "weak")
        own_rabbitmq.control("set_permissions", "weak", "^$", ".*", ".*")
    with Site(sqlite_url(tmp_path), own_rabbitmq.url_of(user, vhost), tmp_path) as site:
        code, log = run_to_its_end(site)
    assert code == 1
    [line] = [line for line in log if "INFO" not in line]
    assert says in line


@pytest.mark.rabbitmq
def test_a_quorum_queue_is_a_choice(own_rabbitmq: RabbitMQ, tmp_path: Path) -> None:
    with Site(sqlite_url(tmp_path), own_rabbitmq.url, tmp_path, broker_queue_type="quorum") as site:
        site.start_worker(2)
        made = [
            push(site.service, site.receiver(f"r{number}"), str(number)).executions[0]
            for number in range(10)
        ]
        ended = [wait_for_end(site.service, each) for each in made]
        assert {each.state for each in ended} == {"succeeded"}
        assert [len(site.calls(str(number))) for number in range(10)] == [1] * 10
    found = own_rabbitmq.control("list_queues", "name", "type", "--silent").split("\n")
    assert [line.split() for line in found if line] == [[QUEUE, "quorum"]]


@pytest.mark.redis
def test_two_deployments_on_one_broker_are_noticed(redis: Redis, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    one, two = (Site(sqlite_url(folder), redis.url, folder) for folder in folders)
    with one, two:
        worker = one.start_worker(1)
        push(two.service, two.receiver("r"), "1")
        wait_for(lambda: "another deployment uses the same queue" in worker.log.read_text())
        made = push(one.service, one.receiver("r"), "1").executions[0]
        assert wait_for_end(one.service, made).state == "succeeded"
        assert worker.log.read_text().count("another deployment") == 1


@pytest.mark.rabbitmq
def test_the_documented_rights_are_enough(own_rabbitmq: RabbitMQ, tmp_path: Path) -> None:
    own_rabbitmq.control("add_user", "hooks", "hooks")
    words = re.search(r"set_permissions -p hooks (hooks '.*')`", ENGINES)
    assert words is not None
    own_rabbitmq.control("set_permissions", *shlex.split(words[1]))
    with Site(sqlite_url(tmp_path), own_rabbitmq.url_of("hooks"), tmp_path) as site:
        site.start_worker(1)
        made = push(site.service, site.receiver("r"), "1").executions[0]
        assert wait_for_end(site.service, made).state == "succeeded"


@pytest.fixture(
    params=[
        pytest.param("rabbitmq", marks=pytest.mark.rabbitmq),
        pytest.param("redis", marks=pytest.mark.redis),
    ]
)
def plain_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param).url
    return url


def test_brokers_over_tls_are_verified_by_the_authority_that_is_named(
    plain_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = self_signed(tmp_path, "127.0.0.1")
    plain = urlsplit(plain_url)
    with Proxy(plain.port or 0, server_side(key, certificate)) as proxy:
        address = (plain.netloc.replace(str(plain.port), str(proxy.port)), plain.path)
        url = urlunsplit((f"{plain.scheme}s", *address, "", ""))
        with pytest.raises(BrokerUnavailable, match="certificate"):
            publish(url)
        if plain.scheme == "redis":
            url += f"?ssl_ca_certs={certificate}"
        else:
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        publish(url)


def publish(url: str) -> None:
    publisher = Publisher(make_app(load_settings(engine="celery", broker_url=url)))
    try:
        publisher.publish(["exe_1"])
    finally:
        publisher.close()
