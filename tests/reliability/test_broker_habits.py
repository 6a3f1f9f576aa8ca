"""What brokers are set to and what is done to them, while each push still runs once.

Each of these was a report about some other queue of tasks.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis as Client

from tests.engine.celery_site import Site
from tests.reliability.sender import again_and_again
from tests.servers.proxy import Proxy
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.redis import Redis
from tests.support import push, sqlite_url, wait_for, wait_for_end

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PUSHES = 30
SECRET = "s3cret"
# On a quiet machine it takes 11 s with Redis, and 26 s with RabbitMQ.
LINE_SECONDS = 45


@pytest.fixture
def own_redis() -> Iterator[Redis]:
    with Redis() as own:
        yield own


def send(site: Site, pushes: int = PUSHES) -> list[str]:
    """Send pushes to targets of their own; their executions."""
    return [
        push(site.service, site.receiver(f"r{number}"), str(number)).executions[0]
        for number in range(pushes)
    ]


def assert_each_ran_once(site: Site, executions: list[str]) -> None:
    states = {wait_for_end(site.service, each, 120).state for each in executions}
    assert states == {"succeeded"}
    assert [len(site.calls(str(number))) for number in range(len(executions))] == [1] * len(
        executions
    )


def flush(client: Client) -> None:
    client.flushall()


def close_connections(client: Client) -> None:
    client.client_kill_filter(_type="normal", skipme=True)
    client.client_kill_filter(_type="pubsub", skipme=True)


@pytest.mark.redis
@pytest.mark.parametrize("harm", [flush, close_connections])
def test_what_is_done_to_redis_again_and_again_loses_nothing(
    own_redis: Redis, tmp_path: Path, harm: Callable[[Client], None]
) -> None:
    with Site(sqlite_url(tmp_path), own_redis.url, tmp_path) as site, own_redis.client() as client:
        worker = site.start_worker(2)
        with again_and_again(lambda: harm(client), 0.5):
            made = send(site)
            time.sleep(2)
        assert_each_ran_once(site, made)
        assert worker.running


@pytest.mark.redis
def test_a_redis_without_memory_delays_and_loses_nothing(own_redis: Redis, tmp_path: Path) -> None:
    with Site(sqlite_url(tmp_path), own_redis.url, tmp_path) as site, own_redis.client() as client:
        worker = site.start_worker(2)
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1")
        made = send(site)
        client.config_set("maxmemory", "0")
        assert_each_ran_once(site, made)
        assert worker.running


@pytest.mark.redis
def test_a_redis_that_suddenly_wants_a_password_delays_and_loses_nothing(
    own_redis: Redis, tmp_path: Path
) -> None:
    with Site(sqlite_url(tmp_path), own_redis.url, tmp_path) as site, own_redis.client() as client:
        site.start_worker(2)
        client.config_set("requirepass", SECRET)
        close_connections(client)
        made = send(site, 5)
        with Client(port=own_redis.port, password=SECRET) as administrator:
            administrator.config_set("requirepass", "")
        assert_each_ran_once(site, made)


@pytest.mark.redis
def test_a_redis_that_takes_rights_away_delays_and_loses_nothing(
    own_redis: Redis, tmp_path: Path
) -> None:
    with Site(sqlite_url(tmp_path), own_redis.url, tmp_path) as site, own_redis.client() as client:
        worker = site.start_worker(2)
        client.execute_command("ACL", "SETUSER", "default", "-brpop", "-lpush")
        made = send(site, 5)
        wait_for(lambda: "NoPermissionError" in worker.log.read_text())
        client.execute_command("ACL", "SETUSER", "default", "+@all")
        assert_each_ran_once(site, made)
        assert worker.running


def take_vhost(rabbitmq: RabbitMQ) -> None:
    rabbitmq.control("delete_vhost", "habits")


def take_rights(rabbitmq: RabbitMQ) -> None:
    rabbitmq.control("clear_permissions", "-p", "habits", "guest")
    rabbitmq.control("close_all_connections", "--vhost", "habits", "a test")


def forbid_connections(rabbitmq: RabbitMQ) -> None:
    rabbitmq.control("set_vhost_limits", "-p", "habits", '{"max-connections": 0}')
    rabbitmq.control("close_all_connections", "--vhost", "habits", "a test")


@pytest.mark.rabbitmq
@pytest.mark.parametrize("harm", [take_vhost, take_rights, forbid_connections])
def test_what_is_taken_from_rabbitmqs_user_ends_workers_and_loses_nothing(
    rabbitmq: RabbitMQ, tmp_path: Path, harm: Callable[[RabbitMQ], None]
) -> None:
    give_vhost(rabbitmq)
    try:
        with Site(sqlite_url(tmp_path), rabbitmq.url_of("guest", "habits"), tmp_path) as site:
            first = site.start_worker(1)
            assert_each_ran_once(site, send(site, 1))
            harm(rabbitmq)
            wait_for(lambda: not first.running, 60)
            assert first.exit_code == 1
            assert "The worker ends, as the broker refuses it" in first.log.read_text()
            made = push(site.service, site.receiver("r"), "later").executions
            give_vhost(rabbitmq)
            site.start_worker(1)
            assert wait_for_end(site.service, made[0], 60).state == "succeeded"
            assert len(site.calls("later")) == 1
    finally:
        take_vhost(rabbitmq)


def give_vhost(rabbitmq: RabbitMQ) -> None:
    if "habits" not in rabbitmq.control("list_vhosts", "--silent").split():
        rabbitmq.control("add_vhost", "habits")
    rabbitmq.control("set_vhost_limits", "-p", "habits", '{"max-connections": -1}')
    rabbitmq.control("set_permissions", "-p", "habits", "guest", ".*", ".*", ".*")


@pytest.mark.rabbitmq
@pytest.mark.parametrize(
    "policy",
    ['{"max-length": 3, "overflow": "reject-publish"}', '{"message-ttl": 200}'],
    ids=["three messages at most", "messages end after 200 ms"],
)
def test_a_policy_that_throws_messages_away_loses_no_push(
    rabbitmq: RabbitMQ, tmp_path: Path, policy: str
) -> None:
    rabbitmq.control("set_policy", "short", ".*", policy, "--apply-to", "queues")
    try:
        with Site(sqlite_url(tmp_path), rabbitmq.url, tmp_path) as site:
            site.start_worker(2)
            assert_each_ran_once(site, send(site))
    finally:
        rabbitmq.control("clear_policy", "short")


@pytest.mark.rabbitmq
def test_a_rabbitmq_that_takes_nothing_for_want_of_memory_holds_up_no_caller(
    rabbitmq: RabbitMQ, tmp_path: Path
) -> None:
    with Site(sqlite_url(tmp_path), rabbitmq.url, tmp_path) as site:
        site.start_worker(2)
        rabbitmq.control("set_vm_memory_high_watermark", "0.000001")
        try:
            wait_for(lambda: "memory" in rabbitmq.control("eval", "rabbit_alarm:get_alarms()."))
            made = send(site, 5)
        finally:
            rabbitmq.control("set_vm_memory_high_watermark", "0.4")
        assert_each_ran_once(site, made)


@pytest.mark.redis
def test_a_worker_that_is_told_to_end_finishes_its_step_and_leaves_the_rest(
    redis: Redis, tmp_path: Path
) -> None:
    with Site(sqlite_url(tmp_path), redis.url, tmp_path, lease=20) as site:
        first = site.start_worker(1)
        key = site.receiver("blocked", behaviour="block")
        running = push(site.service, key, "blocked").executions[0]
        site.wait_for_call("blocked")
        made = send(site, 3)
        os.kill(first.pid, signal.SIGTERM)
        (tmp_path / "release").touch()
        wait_for(lambda: not first.running, 60)
        assert first.exit_code == 0
        assert site.read(running).state == "succeeded"
        site.start_worker(1)
        assert_each_ran_once(site, made)


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(RabbitMQ, id="rabbitmq", marks=pytest.mark.rabbitmq),
        pytest.param(Redis, id="redis", marks=pytest.mark.redis),
    ],
)
def test_a_line_that_a_firewall_forgot_is_left_by_host_and_worker(
    server: type[RabbitMQ | Redis], tmp_path: Path
) -> None:
    with server() as own, Proxy(urlsplit(own.url).port or 0) as line:
        url = own.url.replace(f":{urlsplit(own.url).port}/", f":{line.port}/")
        with Site(sqlite_url(tmp_path), url, tmp_path) as site:
            worker = site.start_worker(2)
            assert_each_ran_once(site, send(site, 5))
            line.forget()
            execution = push(site.service, site.receiver("after"), "after").executions[0]
            assert wait_for_end(site.service, execution, LINE_SECONDS).state == "succeeded"
            assert worker.running
