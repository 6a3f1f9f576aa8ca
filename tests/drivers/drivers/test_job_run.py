"""jobRun: one Job per push, told what was pushed, followed to its end with the log's tail."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.drivers.kills import WAYS, killed
from tests.drivers.steps import SHA, Clock, context, push, run_to_end
from webhook_drivers.kubernetes.drivers.job_run import JobRun, JobRunConfig
from webhook_drivers.kubernetes.jobs.jobs import job_name
from webhook_service import (
    Change,
    Done,
    DriverError,
    InvalidConfig,
    Plan,
    PushEvent,
    TargetConflict,
    Wait,
)
from webhook_service.testing import FakeCluster

PUSH = push("1.2.3", SHA)


def config(**more: Any) -> JobRunConfig:
    return JobRunConfig.model_validate({"namespace": "default", "cronJob": "migrate"} | more)


def pod_template(image: str = "acme/shop:1", **pod: Any) -> dict[str, Any]:
    main = {"name": "main", "image": image, "args": ["up"]}
    main["env"] = [{"name": "MODE", "value": "live"}, {"name": "TAG", "value": "old"}]
    sidecar = {"name": "proxy", "image": "envoy:1"}
    return {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [main, sidecar], **pod}}


def cron_job(image: str = "acme/shop:1") -> dict[str, Any]:
    job = {"spec": {"backoffLimit": 0, "template": pod_template(image, restartPolicy="Never")}}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "migrate", "namespace": "default"},
        "spec": {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": job},
    }


def stored_template(image: str = "acme/shop:1") -> dict[str, Any]:
    metadata = {"name": "tests", "namespace": "default"}
    return {
        "apiVersion": "v1",
        "kind": "PodTemplate",
        "metadata": metadata,
        "template": pod_template(image),
    }


@pytest.fixture
def driver(fake: FakeCluster, clock: Clock, tmp_path: Path) -> Iterator[JobRun]:
    path = fake.write_kubeconfig(tmp_path / "kubeconfig")
    with closing(JobRun({"kubeconfig": str(path)}, now=clock)) as driver:
        yield driver


def the_job(fake: FakeCluster) -> dict[str, Any]:
    (job,) = fake.list("Job", "default")
    return job


def told(fake: FakeCluster) -> dict[str, Any]:
    container: dict[str, Any] = the_job(fake)["spec"]["template"]["spec"]["containers"][0]
    return container


def test_a_push_runs_the_job_of_a_cron_job_to_its_end(driver: JobRun, fake: FakeCluster) -> None:
    fake.apply(cron_job())
    fake.log(lambda pod, container: f"migrating in {container}\n\x1b[32mdone\x1b[0m\x07\n")
    driver.validate(config(), context(1))
    outcome = run_to_end(driver, config(), PUSH, context(1))
    job = the_job(fake)
    name = job["metadata"]["name"]
    assert isinstance(outcome, Done)
    assert outcome.changes == (Change(f"Job default/{name}", "job", None, name),)
    assert outcome.message == (
        f"Job default/{name} succeeded. The end of its log:\nmigrating in main\ndone"
    )
    assert job["spec"]["activeDeadlineSeconds"] == 600
    assert job["spec"]["ttlSecondsAfterFinished"] == 86400
    assert job["spec"]["backoffLimit"] == 0
    assert told(fake)["image"] == "acme/shop:1"
    assert "ownerReferences" not in job["metadata"]


def test_the_container_is_told_what_was_pushed(driver: JobRun, fake: FakeCluster) -> None:
    fake.apply(cron_job())
    settings = config(
        env={"TAG": "tag", "IMAGE": "image", "BY": "actor", "AT": "pushedAt"},
        args=["--tag={tag}", "--ref={repository}:{tag}", "plain"],
    )
    event = replace(PUSH, actor="eve $(TAG) $x `id`", pushed_at=datetime(2026, 1, 2, tzinfo=UTC))
    run_to_end(driver, settings, event, context(1))
    assert told(fake)["env"] == [
        {"name": "MODE", "value": "live"},
        {"name": "TAG", "value": "1.2.3"},
        {"name": "IMAGE", "value": f"docker.io/acme/shop:1.2.3@{SHA}"},
        {"name": "BY", "value": "eve $$(TAG) $$x `id`"},
        {"name": "AT", "value": "2026-01-02T00:00:00+00:00"},
    ]
    assert told(fake)["args"] == ["up", "--tag=1.2.3", "--ref=acme/shop:1.2.3", "plain"]


def test_the_pushed_image_runs_where_it_is_wished(driver: JobRun, fake: FakeCluster) -> None:
    fake.apply(cron_job())
    run_to_end(driver, config(useImage=True), PUSH, context(1))
    assert told(fake)["image"] == f"acme/shop:1.2.3@{SHA}"


def test_a_pod_template_runs_as_a_job(driver: JobRun, fake: FakeCluster) -> None:
    fake.apply(stored_template())
    settings = config(cronJob=None, template="tests", container="proxy", backoffLimit=0)
    driver.validate(settings, context(1))
    outcome = run_to_end(driver, settings, PUSH, context(1, named=True))
    assert isinstance(outcome, Done)
    spec = the_job(fake)["spec"]
    assert spec["backoffLimit"] == 0
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert spec["template"]["metadata"]["labels"]["a"] == "b"


def test_a_failed_job_is_a_failure_with_the_logs_tail(driver: JobRun, fake: FakeCluster) -> None:
    fake.apply(cron_job("acme/shop:bad"))
    fake.log(lambda pod, container: "x" * 10_000 + "\ntable missing\n")
    with pytest.raises(DriverError) as caught:
        run_to_end(driver, config(), PUSH, context(1))
    error = caught.value
    assert error.reason == "job_failed" and error.changes
    assert "failed: Job has reached the specified backoff limit; container main" in error.message
    assert "ended with exit code 1 (Error). The end of its log:\nx" in error.message
    assert error.message.endswith("x\ntable missing")
    assert len(error.message) < 4096 + 300


def test_of_long_lines_the_last_ones_are_kept(driver: JobRun, fake: FakeCluster) -> None:
    fake.apply(cron_job())
    fake.log(lambda pod, container: ("x" * 2000 + "\n") * 100 + "table migrated\n")
    outcome = run_to_end(driver, config(), PUSH, context(1))
    assert isinstance(outcome, Done) and outcome.message.endswith("x\ntable migrated")


def test_a_log_that_cannot_be_read_does_not_fail_the_job(driver: JobRun, fake: FakeCluster) -> None:
    fake.apply(cron_job())
    fake.deny("get", "pods/log")
    outcome = run_to_end(driver, config(), PUSH, context(1))
    assert isinstance(outcome, Done) and "Its log cannot be read: " in outcome.message


def test_a_job_that_never_ends_is_given_up_at_last(
    driver: JobRun, fake: FakeCluster, clock: Clock
) -> None:
    obj = cron_job()
    obj["spec"]["jobTemplate"]["spec"]["suspend"] = True
    fake.apply(obj)
    outcome = driver.execute(config(), PUSH, context(1))
    with pytest.raises(DriverError, match="did not end in 66. s") as caught:
        while clock.ahead < 3600:
            assert isinstance(outcome, Wait)
            clock.ahead += 30
            outcome = driver.execute(config(), PUSH, context(1, state=outcome.state))
    assert caught.value.reason == "job_timeout"


@pytest.mark.parametrize("after", WAYS)
@pytest.mark.parametrize("at", range(1, 7))
def test_a_run_that_dies_at_any_place_has_one_job(
    fake: FakeCluster, tmp_path: Path, at: int, after: bool
) -> None:
    fake.apply(cron_job())
    with killed(fake, tmp_path, JobRun, at, after) as kill:
        outcome = kill.run(config(), PUSH, context(1))
    assert isinstance(outcome, Done)
    assert the_job(fake)["metadata"]["name"] == job_name("migrate", "exe_1")


def test_each_push_has_its_own_job_and_so_has_a_replay(driver: JobRun, fake: FakeCluster) -> None:
    fake.apply(cron_job())
    run_to_end(driver, config(), PUSH, context(1))
    run_to_end(driver, config(), PUSH, context(1, execution="exe_replay"))
    run_to_end(driver, config(), push("1.2.4"), context(2))
    assert len(fake.list("Job", "default")) == 3


def test_a_job_of_that_name_that_is_not_ours_is_left_alone(
    driver: JobRun, fake: FakeCluster
) -> None:
    fake.apply(cron_job())
    spec = {"template": pod_template(restartPolicy="Never")}
    metadata = {"name": job_name("migrate", "exe_1"), "namespace": "default"}
    fake.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec})
    with pytest.raises(TargetConflict, match="belongs to somebody else"):
        driver.execute(config(), PUSH, context(1))


@pytest.mark.parametrize(
    ("event", "settings", "code"),
    [
        (push(None, SHA), {"env": {"TAG": "tag"}}, "missing_value"),
        (replace(PUSH, actor="a\nb"), {"env": {"BY": "actor"}}, "bad_value"),
        (replace(PUSH, actor="x" * 2000), {"env": {"BY": "actor"}}, "bad_value"),
        (replace(PUSH, actor="--delete-all"), {"args": ["{actor}"]}, "bad_value"),
    ],
)
def test_a_value_that_cannot_be_told_ends_the_push(
    driver: JobRun, fake: FakeCluster, event: PushEvent, settings: dict[str, Any], code: str
) -> None:
    fake.apply(cron_job())
    with pytest.raises(DriverError) as caught:
        driver.execute(config(**settings), event, context(1))
    assert caught.value.reason == code
    assert fake.list("Job", "default") == []


def test_a_repository_that_nobody_named_runs_nothing(driver: JobRun, fake: FakeCluster) -> None:
    fake.apply(cron_job("acme/tools:1"))
    with pytest.raises(TargetConflict, match=r"runs acme/tools:1, not docker\.io/acme/shop"):
        driver.execute(config(), PUSH, context(1))
    assert fake.list("Job", "default") == []
    assert isinstance(run_to_end(driver, config(), PUSH, context(1, named=True)), Done)


def test_what_does_not_exist_is_refused_at_creation(driver: JobRun, fake: FakeCluster) -> None:
    with pytest.raises(InvalidConfig, match='"migrate" in namespace default was not found'):
        driver.validate(config(), context(1))
    fake.apply(cron_job())
    with pytest.raises(InvalidConfig, match=r"has no container app \(it has main, proxy\)"):
        driver.validate(config(container="app"), context(1))
    fake.deny("create", "jobs")
    with pytest.raises(InvalidConfig, match=r"Not allowed to create jobs\.batch in namespace"):
        driver.validate(config(), context(1))


def test_the_plan_is_checked_by_the_cluster_and_runs_nothing(
    driver: JobRun, fake: FakeCluster
) -> None:
    fake.apply(cron_job())
    said = ("CronJob default/migrate would be run as a Job of its own.",)
    assert driver.plan(config(), PUSH, context(1)) == Plan(notes=said)
    assert fake.list("Job", "default") == []


@pytest.mark.parametrize(
    "change",
    [
        {"cronJob": None},
        {"template": "tests"},
        {"args": ["--x={password}"]},
        {"env": {"A B": "tag"}},
        {"env": {"TAG": "body"}},
        {"ttlSecondsAfterFinished": 1},
        {"activeDeadlineSeconds": 0},
    ],
)
def test_a_config_that_cannot_work_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        config(**change)


def refused(driver: JobRun, settings: JobRunConfig) -> str:
    """What is said at creation, and of a config that is stored already."""
    with pytest.raises(InvalidConfig) as at_creation:
        driver.validate(settings, context(1))
    with pytest.raises(DriverError) as at_execution:
        driver.execute(settings, PUSH, context(1))
    assert at_execution.value.reason == "unsafe_parameters"
    assert at_execution.value.message == at_creation.value.message
    assert driver.plan(settings, PUSH, context(1)).notes == (at_execution.value.message,)
    return at_execution.value.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LD_PRELOAD", "actor"),
        ("PATH", "sourceId"),
        ("IFS", "tag"),
        ("PYTHONPATH", "repository"),
        ("BASH_ENV", "image"),
        ("NODE_OPTIONS", "actor"),
        ("GIT_SSH_COMMAND", "actor"),
        ("https_proxy", "registry"),
    ],
)
def test_a_variable_that_programs_obey_is_not_the_senders_to_set(
    driver: JobRun, fake: FakeCluster, name: str, value: str
) -> None:
    fake.apply(cron_job())
    message = refused(driver, config(env={"TAG": "tag", name: value}))
    assert message.startswith(f"env: {name} decides what programs load, run or trust")
    assert fake.list("Job", "default") == []
    advised = message.rpartition("such as ")[2].rstrip(".")
    driver.validate(config(env={"TAG": "tag", advised: value}), context(1))


def commanded(*command: str, args: tuple[str, ...] = ()) -> dict[str, Any]:
    obj = cron_job()
    main = obj["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    main |= {"command": list(command), "args": list(args)}
    return obj


@pytest.mark.parametrize(
    ("obj", "args", "written"),
    [
        (cron_job(), ["-c", "echo {actor}"], "{actor}"),
        (cron_job(), ["sh", "-ec", "deploy {tag}"], "{tag}"),
        (commanded("sh", "-c"), ["echo {sourceId}"], "{sourceId}"),
        (commanded("bash"), ["-ceuo", "pipefail", "echo $(BY)"], "$(BY)"),
        (commanded("/tini", "--", "sh", args=("-c",)), ["x {tag}"], "{tag}"),
        (commanded("python3.12", "-c"), ["print('{actor}')"], "{actor}"),
        (commanded("node"), ["--eval=load('{actor}')"], "{actor}"),
        (commanded("ssh", "host"), ["deploy {actor}"], "{actor}"),
    ],
)
def test_the_senders_text_is_no_part_of_code(
    driver: JobRun, fake: FakeCluster, obj: dict[str, Any], args: list[str], written: str
) -> None:
    fake.apply(obj)
    message = refused(driver, config(args=args, env={"BY": "actor"}))
    assert message.startswith(f"args: {written} stands in code that a shell or an interpreter runs")
    assert fake.list("Job", "default") == []


def test_kubernetes_puts_no_text_of_the_sender_into_the_templates_own_script(
    driver: JobRun, fake: FakeCluster
) -> None:
    fake.apply(commanded("sh", "-c", "echo $(BY) $$(TAG)"))
    message = refused(driver, config(env={"BY": "actor", "TAG": "tag"}))
    assert message.startswith("CronJob default/migrate: $(BY) stands in code")
    assert message.endswith('in a shell, write "$BY" with the double quotes.')
    fake.apply(commanded("sh", "-c", 'echo "$BY" $$(TAG) {tag}'))
    driver.validate(config(env={"BY": "actor", "TAG": "tag"}), context(1))
    fake.apply(commanded("$(BY)"))
    assert "$(BY) stands in code" in refused(driver, config(env={"BY": "actor"}))


def test_code_may_read_a_variable_and_arguments_of_its_own(
    driver: JobRun, fake: FakeCluster
) -> None:
    fake.apply(commanded("sh", "-c"))
    message = refused(driver, config(args=['echo "{sourceId}"']))
    assert 'set "env": {"PUSH_SOURCE_ID": "sourceId"} and let the code read' in message
    script = 'test "$1" = 1.2.3 && echo "$PUSH_SOURCE_ID"'
    advised = config(env={"PUSH_SOURCE_ID": "sourceId"}, args=[script, "sh", "{tag}"])
    driver.validate(advised, context(1))
    event = replace(PUSH, source_id="a; `b` $(c)")
    assert isinstance(run_to_end(driver, advised, event, context(1)), Done)
    assert told(fake)["args"] == [script, "sh", "1.2.3"]
    assert told(fake)["env"][-1] == {"name": "PUSH_SOURCE_ID", "value": "a; `b` $$(c)"}


def test_a_job_that_runs_already_is_followed_to_its_end(driver: JobRun, fake: FakeCluster) -> None:
    fake.apply(cron_job())
    waiting = driver.execute(config(), PUSH, context(1))
    assert isinstance(waiting, Wait)
    unsafe = config(env={"LD_PRELOAD": "actor"}, args=["-c", "echo {actor}"])
    assert isinstance(run_to_end(driver, unsafe, PUSH, context(1, state=waiting.state)), Done)


def test_names_of_jobs_fit_and_differ() -> None:
    names = {job_name("a." * 60, f"exe_{number}") for number in range(100)}
    assert len(names) == 100 and max(map(len, names)) <= 63
