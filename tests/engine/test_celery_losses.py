"""What brokers and workers lose, and that nothing comes of it."""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.engine.celery_site import Site, kill_all
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.redis import Redis
from tests.support import push, sqlite_url, wait_for, wait_for_end
from webhook_service.engine.celery.app import QUEUE, make_app
from webhook_service.engine.celery.publisher import BrokerUnavailable, Publisher
from webhook_service.errors import SettingsError
from webhook_service.settings import load_settings

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]


@pytest.mark.rabbitmq
def test_rabbitmq_tells_of_a_killed_worker_long_before_the_lease_ends(
    rabbitmq: RabbitMQ, tmp_path: Path
) -> None:
    with Site(sqlite_url(tmp_path), rabbitmq.url, tmp_path, lease=20) as site:
        first = site.start_worker(1)
        execution = push(site.service, site.receiver("b", behaviour="block"), "b").executions[0]
        site.wait_for_call("b")
        site.start_worker(1)
        killed = time.time()
        kill_all(first)
        again = site.wait_for_call("b", 2)
        (tmp_path / "release").touch()
        ended = wait_for_end(site.service, execution, 30)
        assert [attempt.state for attempt in ended.attempts] == ["retrying", "succeeded"]
        # The lease was renewed two seconds before the kill at most, and would have gone on.
        assert again.at - killed < 15


@pytest.mark.redis
def test_what_a_killed_worker_ran_on_redis_runs_again_after_its_lease(
    redis: Redis, tmp_path: Path
) -> None:
    with Site(sqlite_url(tmp_path), redis.url, tmp_path, lease=2) as site:
        first = site.start_worker(1)
        execution = push(site.service, site.receiver("b", behaviour="block"), "b").executions[0]
        site.wait_for_call("b")
        site.start_worker(1)
        kill_all(first)
        site.wait_for_call("b", 2)
        (tmp_path / "release").touch()
        assert wait_for_end(site.service, execution, 30).state == "succeeded"


@pytest.mark.redis
def test_a_worker_goes_on_if_redis_was_away_when_all_its_children_became_free(
    tmp_path: Path,
) -> None:
    with Redis() as redis, Site(sqlite_url(tmp_path), redis.url, tmp_path) as site:
        site.start_worker(1)
        execution = push(site.service, site.receiver("b", behaviour="block"), "b").executions[0]
        site.wait_for_call("b")
        redis.kill()
        (tmp_path / "release").touch()
        assert wait_for_end(site.service, execution, 30).state == "succeeded"
        redis.start()
        later = push(site.service, site.receiver("later"), "later").executions[0]
        assert wait_for_end(site.service, later, 30).state == "succeeded"
        assert len(site.calls("b")) == 1


@pytest.mark.redis
def test_a_worker_that_is_told_to_end_finishes_what_runs(redis: Redis, tmp_path: Path) -> None:
    with Site(sqlite_url(tmp_path), redis.url, tmp_path) as site:
        worker = site.start_worker(1)
        execution = push(site.service, site.receiver("b", behaviour="block"), "b").executions[0]
        site.wait_for_call("b")
        os.kill(worker.pid, signal.SIGTERM)
        wait_for(lambda: "Warm shutdown" in worker.log.read_text())
        later = push(site.service, site.receiver("later"), "later").executions[0]
        threading.Timer(0.5, (tmp_path / "release").touch).start()
        assert wait_for_end(site.service, execution, 30).state == "succeeded"
        wait_for(lambda: not worker.running, 30)
        assert worker.exit_code == 0
        assert len(site.read(execution).attempts) == 1
        assert site.read(later).state == "queued"
        site.start_worker(1)
        assert wait_for_end(site.service, later, 30).state == "succeeded"


@pytest.mark.redis
def test_messages_hold_the_id_and_nothing_of_the_push(redis: Redis, tmp_path: Path) -> None:
    with Site(sqlite_url(tmp_path), redis.url, tmp_path) as site, redis.client() as client:
        client.flushdb()
        key = site.receiver("quiet")
        execution = push(site.service, key, "0.0.1", "acme/private").executions[0]
        (text,) = wait_for(lambda: client.lrange(QUEUE, 0, -1))
        message = json.loads(text)
        arguments, _, _ = json.loads(base64.b64decode(message["body"]))
        assert arguments == [execution]
        for secret in (key, "0.0.1", "private", str(tmp_path)):
            assert secret not in text.decode() + json.dumps(arguments)


@pytest.mark.redis
def test_the_queue_stays_short_while_no_worker_runs(redis: Redis, tmp_path: Path) -> None:
    settings = load_settings(engine="celery", broker_url=redis.url)
    publisher = Publisher(make_app(settings), window=5)
    with redis.client() as client:
        client.flushdb()
        assert publisher.publish(["a", "b", "c"]) == ["a", "b", "c"]
        assert publisher.publish(["d", "e", "f"]) == ["d", "e"]
        assert publisher.publish(["f"]) == []
        assert client.llen(QUEUE) == 5
        client.flushdb()
    publisher.close()


@pytest.mark.rabbitmq
def test_a_broker_that_hangs_keeps_no_caller_waiting(rabbitmq: RabbitMQ, tmp_path: Path) -> None:
    with Site(sqlite_url(tmp_path), rabbitmq.url, tmp_path) as site:
        keys = [site.receiver(f"calm-{number}") for number in range(20)]
        push(site.service, keys[0], "before")
        rabbitmq.pause()
        try:
            accepted = [push(site.service, key, "meanwhile") for key in keys]
        finally:
            rabbitmq.resume()
        assert {delivery.state for delivery in accepted} == {"accepted"}
        site.start_worker(1)
        for delivery in accepted:
            assert wait_for_end(site.service, delivery.executions[0], 60).state == "succeeded"


def test_a_publisher_says_that_its_broker_is_away() -> None:
    settings = load_settings(engine="celery", broker_url="amqp://guest:hush@127.0.0.1:1//")
    with pytest.raises(BrokerUnavailable) as error:
        Publisher(make_app(settings)).publish(["exe_1"])
    assert "hush" not in str(error.value)


def test_the_engine_celery_needs_a_broker() -> None:
    with pytest.raises(SettingsError, match="WEBHOOK_SERVICE_BROKER_URL"):
        make_app(load_settings(engine="celery"))


def test_an_option_of_the_broker_that_there_is_not_is_named() -> None:
    url = "redis://:hush@localhost:1/0?sokket_timeout=3"
    with pytest.raises(SettingsError, match="the option 'sokket_timeout'") as error:
        make_app(load_settings(engine="celery", broker_url=url))
    assert "hush" not in error.value.message


def test_a_host_with_the_local_engine_does_not_import_celery() -> None:
    program = "import sys, webhook_service.host, webhook_service.engine.factory"
    check = f"{program}; sys.exit(bool({{'celery', 'kombu', 'redis'}} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0
