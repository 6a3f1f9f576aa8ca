"""A host and two workers on each broker: what drivers do, and what becomes of it."""

import os
import ssl
import statistics
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.engine.celery_site import Site
from tests.support import push, sqlite_url, wait_for, wait_for_end
from webhook_service.engine.celery.app import make_app
from webhook_service.settings import Settings
from webhook_service.testing.samples import PUSHED_AT

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]
STEP = 2
ON_RABBITMQ = pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)
ON_REDIS = pytest.param("redis", marks=pytest.mark.redis)


@pytest.fixture(scope="module", params=[ON_RABBITMQ, ON_REDIS])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Two workers: RabbitMQ goes with PostgreSQL, Redis with SQLite."""
    folder = tmp_path_factory.mktemp(request.param)
    broker = request.getfixturevalue(request.param)
    url = sqlite_url(folder)
    if request.param == "rabbitmq":
        url = request.getfixturevalue("postgres").new_migrated_database()
    with Site(url, broker.url, folder, step=STEP) as site:
        site.start_worker()
        site.start_worker()
        yield site


def test_a_push_runs_in_a_worker(site: Site) -> None:
    key = site.receiver("plain")
    execution = wait_for_end(site.service, push(site.service, key, "plain").executions[0], 30)
    assert (execution.state, execution.message) == ("succeeded", "probed")
    (call,) = site.calls("plain")
    assert call.process != os.getpid()


def test_waiting_steps_are_prompt(site: Site) -> None:
    tags = [f"wait-{number}" for number in range(8)]
    executions = [
        push(site.service, site.receiver(tag, behaviour="wait"), tag).executions[0] for tag in tags
    ]
    ended = [wait_for_end(site.service, execution, 30) for execution in executions]
    assert [each.attempts[0].steps for each in ended] == [2] * len(tags)
    late = [second.at - first.at - 0.5 for first, second in (site.calls(tag) for tag in tags)]
    assert statistics.median(late) < 1


def test_an_older_push_never_overwrites_a_newer_one(site: Site) -> None:
    key = site.receiver("ordered")
    order = [0, 1, 2, 5, 3, 4, 7, 6, 9, 8]
    tags = [f"ordered-{number}" for number in order]
    executions = [
        push(site.service, key, tag, pushed_at=PUSHED_AT + timedelta(seconds=number)).executions[0]
        for number, tag in zip(order, tags, strict=True)
    ]
    ended = [wait_for_end(site.service, execution, 30) for execution in executions]
    assert {execution.state for execution in ended} <= {"succeeded", "superseded"}
    ran = [int(call.tag.removeprefix("ordered-")) for call in site.calls(*tags)]
    assert ran == sorted(ran)
    assert ran[-1] == 9


def test_a_driver_that_kills_its_process_ends_in_the_dead_letter(site: Site) -> None:
    poison = push(site.service, site.receiver("die", behaviour="die"), "die").executions[0]
    other = push(site.service, site.receiver("living"), "living").executions[0]
    assert wait_for_end(site.service, other, 30).state == "succeeded"
    execution = wait_for_end(site.service, poison, 60)
    assert (execution.state, execution.reason) == ("failed", "worker_lost")
    assert len(site.calls("die")) == len(execution.attempts) == 3


def test_a_driver_that_exits_does_not_end_its_worker(site: Site) -> None:
    exits = push(site.service, site.receiver("exit", behaviour="exit"), "exit").executions[0]
    site.wait_for_call("exit", 2)
    assert wait_for_end(site.service, exits, 60).state == "failed"


def test_a_driver_that_hangs_is_ended(site: Site) -> None:
    hangs = push(site.service, site.receiver("hang", behaviour="hang"), "hang").executions[0]
    first = site.wait_for_call("hang")
    second = site.wait_for_call("hang", 2)
    assert second.at - first.at >= STEP
    execution = wait_for_end(site.service, hangs, 60)
    assert (execution.state, len(execution.attempts)) == ("failed", 3)
    assert "did not return in 2 s" in execution.attempts[0].message
    wait_for(lambda: not Path(f"/proc/{first.process}").exists())


@pytest.mark.parametrize(
    ("url", "tls"),
    [
        ("redis://h/0", None),
        ("rediss://h/0", {"ssl_cert_reqs": ssl.CERT_REQUIRED}),
        ("rediss://h/0?ssl_ca_certs=/ca.pem", {"ssl_cert_reqs": ssl.CERT_REQUIRED}),
        ("rediss://h/0?ssl_cert_reqs=none", None),
        ("amqps://h//", None),
    ],
)
def test_a_redis_over_tls_is_verified_unless_the_url_says_otherwise(url: str, tls: object) -> None:
    app = make_app(Settings(broker_url=url))
    assert app.conf.broker_use_ssl == tls
