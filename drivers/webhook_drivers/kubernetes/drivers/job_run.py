"""The driver ``jobRun``: a push runs a Job, such as a migration or a test, to its end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Self

from pydantic import ConfigDict, Field, model_validator

from webhook_drivers.kubernetes.api.client import MAX_LOG, Cluster
from webhook_drivers.kubernetes.api.faults import Conflict
from webhook_drivers.kubernetes.api.resources import PODS, Address, Json
from webhook_drivers.kubernetes.api.rights import Right, missing
from webhook_drivers.kubernetes.drivers.base import ClusterDriver
from webhook_drivers.kubernetes.images.containers import Sought, advice, desired
from webhook_drivers.kubernetes.images.stopwatch import Stopwatch
from webhook_drivers.kubernetes.images.target_config import (
    ClusterConfig,
    DnsLabel,
    DnsSubdomain,
    one_of,
)
from webhook_drivers.kubernetes.images.workloads import Container
from webhook_drivers.kubernetes.jobs.jobs import (
    CRON_JOBS,
    JOBS,
    POD_TEMPLATES,
    JobLimits,
    chosen_container,
    ended,
    failure_of,
    is_of,
    job_name,
    job_spec,
    manifest,
)
from webhook_drivers.kubernetes.jobs.parameters import (
    Parameters,
    parametrised,
    refuse_code,
    refuse_obeyed,
    unknown_places,
    values_of,
)
from webhook_drivers.kubernetes.pods.trouble import trouble_of
from webhook_drivers.text import tail
from webhook_drivers.v16 import LegacyPush
from webhook_service import (
    Change,
    Context,
    Done,
    DriverConfig,
    DriverError,
    Outcome,
    Plan,
    PushEvent,
    TargetConflict,
    Wait,
)
from webhook_service.failpoints import failpoint

LOG_LINES = (200, 20, 2)
GRACE = 60.0


class JobRunConfig(ClusterConfig, Parameters, LegacyPush):
    """Which Job a push runs, and what it is told."""

    model_config = ConfigDict(json_schema_extra=one_of("cronJob", "template"))

    namespace: DnsLabel = Field(description="Where the template is, and the Job runs.")
    cron_job: DnsSubdomain | None = Field(
        default=None, description="The CronJob whose Job is run; it may be suspended."
    )
    template: DnsSubdomain | None = Field(
        default=None, description="The PodTemplate that is run as a Job, instead of a CronJob's."
    )
    container: DnsLabel | None = Field(
        default=None, description="The container that is told; without it the first."
    )
    use_image: bool = Field(
        default=False, description="Run the pushed image in this container, instead of its own."
    )
    backoff_limit: int | None = Field(
        default=None,
        ge=0,
        le=20,
        description="How often to try again; without it as the template says.",
    )
    active_deadline_seconds: int = Field(
        default=600, ge=1, le=86400, description="How long the Job may run."
    )
    ttl_seconds_after_finished: int = Field(
        default=86400, ge=3600, le=2592000, description="How long the ended Job is kept."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.cron_job is None) == (self.template is None):
            raise ValueError("say either cronJob or template")
        if unknown := unknown_places(self.args):
            raise ValueError(f"args: there is no value {{{unknown[0]}}}")
        return self

    @property
    def source(self) -> Address:
        if self.cron_job is not None:
            return Address(CRON_JOBS, self.namespace, self.cron_job)
        return Address(POD_TEMPLATES, self.namespace, self.template or "")

    @property
    def limits(self) -> JobLimits:
        return JobLimits(
            self.backoff_limit, self.active_deadline_seconds, self.ttl_seconds_after_finished
        )

    def job(self, execution: str) -> Address:
        return Address(JOBS, self.namespace, job_name(self.source.name, execution))


class JobRun(ClusterDriver[JobRunConfig]):
    """Runs a Job per push and follows it; its name follows from the execution."""

    Config: ClassVar[type[DriverConfig]] = JobRunConfig
    rights = (
        Right(CRON_JOBS, ("get",)),
        Right(POD_TEMPLATES, ("get",)),
        Right(JOBS, ("get", "create")),
        Right(PODS, ("list",)),
        Right(PODS, ("get",), "log", optional=True),
    )

    def targets(self, config: JobRunConfig, context: Context) -> tuple[str, ...]:
        source = config.source
        return self.target(config, source.namespace, source.resource.kind, source.name)

    def slot(self, config: JobRunConfig, event: PushEvent) -> str:
        source = config.source
        where = f"{source.namespace}/{source.resource.kind}/{source.name}"
        return f"{config.cluster or ''}/{where}/{event.reference.name}"

    def execute(self, config: JobRunConfig, event: PushEvent, context: Context) -> Outcome:
        cluster = self.cluster(config, context)
        if not context.state:
            return self._start(cluster, config, event, context)
        return self._follow(cluster, config, context)

    def problems(self, config: JobRunConfig, context: Context) -> Iterable[str]:
        refuse_obeyed(config)
        cluster, source = self.cluster(config, context), config.source
        others = {CRON_JOBS, POD_TEMPLATES} - {source.resource}
        rights = [right for right in self.rights if right.resource not in others]
        if denied := missing(cluster, rights, config.namespace):
            return denied
        found = cluster.get(source)
        container = chosen_container(found, job_spec(found), config.container)
        refuse_code(container, str(source), config)
        return ()

    def preview(self, config: JobRunConfig, event: PushEvent, context: Context) -> Plan:
        cluster, job = self.cluster(config, context), config.job(context.execution)
        built = _built(cluster.get(config.source), config, event, context)
        cluster.create(job, built, dry_run=True)
        # The name of the Job follows from its execution, and there is none yet.
        return Plan(notes=(f"{config.source} would be run as a Job of its own.",))

    def _start(
        self, cluster: Cluster, config: JobRunConfig, event: PushEvent, context: Context
    ) -> Outcome:
        job = config.job(context.execution)
        built = _built(cluster.get(config.source), config, event, context)
        failpoint("job.built")
        try:
            cluster.create(job, built)
        except Conflict:
            if not is_of(cluster.get(job), context.execution):
                raise TargetConflict(f"{job} belongs to somebody else: push again.") from None
        failpoint("job.created")
        watch = Stopwatch.read({}, self._now())
        return Wait(watch.pause, watch.as_json(), f"{job} runs", (_change(job),))

    def _follow(self, cluster: Cluster, config: JobRunConfig, context: Context) -> Outcome:
        address = config.job(context.execution)
        job = cluster.get(address)
        pod = _newest_pod(cluster, address)
        trouble = trouble_of(pod) or str(context.state.get("trouble", ""))
        succeeded = ended(job)
        if succeeded is None:
            return self._wait(config, address, context, trouble)
        name = chosen_container(job, job["spec"], config.container)["name"]
        logs = _logs(cluster, pod, str(name))
        if succeeded:
            return Done((_change(address),), f"{address} succeeded.{logs}")
        why = f"{failure_of(job)}{f'; {trouble}' if trouble else ''}"
        raise DriverError(
            f"{address} failed: {why}.{logs}", code="job_failed", changes=(_change(address),)
        )

    def _wait(self, config: JobRunConfig, address: Address, context: Context, trouble: str) -> Wait:
        watch = Stopwatch.read(context.state, self._now())
        if watch.elapsed > config.active_deadline_seconds + GRACE:
            raise DriverError(
                f"{address} did not end in {watch.elapsed:.0f} s, although it may run "
                f"{config.active_deadline_seconds} s only: look at the cluster's Job controller.",
                code="job_timeout",
                changes=(_change(address),),
            )
        said = f": {trouble}" if trouble else ""
        state = {**watch.as_json(), "trouble": trouble}
        return Wait(watch.pause, state, f"{address} runs{said}", (_change(address),))


def _built(source: Json, config: JobRunConfig, event: PushEvent, context: Context) -> Json:
    spec = job_spec(source)
    container = chosen_container(source, spec, config.container)
    refuse_obeyed(config)
    refuse_code(container, str(config.source), config)
    image = str(container.get("image") or "")
    sought = Sought.of(event, context)
    if not context.named and not sought.runs_in(image):
        otherwise = "name the repository with its registry in `match.repositories`."
        raise TargetConflict(
            f"Container {container.get('name')} of {config.source} runs {image[:256]}, not "
            f"{sought.pushed}, so no Job was run: {advice(sought.pushed, [image]) or otherwise}"
        )
    if config.use_image:
        (after,) = desired([Container(str(container.get("name")), image)], event, sought, pin=True)
        container["image"] = after.image
    container.update(parametrised(container, config, values_of(event, context)))
    name = config.job(context.execution).name
    return manifest(name, spec, config.limits, context.execution, context.delivery)


def _newest_pod(cluster: Cluster, job: Address) -> Json:
    pods = cluster.find(PODS, job.namespace, f"job-name={job.name}")
    return max(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), default={})


def _logs(cluster: Cluster, pod: Json, container: str) -> str:
    """The end of the log, as messages carry it; a Job is not judged by whether it can be read."""
    if not pod:
        return ""
    try:
        text = tail(_last_lines(cluster, pod["metadata"], container))
    except DriverError as error:
        return f" Its log cannot be read: {error.message}"
    return f" The end of its log:\n{text}" if text else ""


def _last_lines(cluster: Cluster, pod: Json, container: str) -> str:
    """Fewer lines where more would be too long: a log is cut at its end."""
    text = ""
    for lines in LOG_LINES:
        text = cluster.logs(pod["namespace"], pod["name"], container, lines)
        if len(text.encode()) < MAX_LOG:
            break
    return text


def _change(job: Address) -> Change:
    return Change(str(job), "job", None, job.name)
