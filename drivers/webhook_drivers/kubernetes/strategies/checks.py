"""What must hold before more traffic moves: answers over HTTP, and numbers of a Prometheus."""

from __future__ import annotations

import json
from typing import Annotated, Self
from urllib.parse import quote

from pydantic import Field, model_validator

from webhook_drivers.kubernetes.api.resources import Address
from webhook_drivers.kubernetes.images.rollout import Progress, Stage
from webhook_drivers.kubernetes.images.step_state import RolloutState
from webhook_drivers.kubernetes.images.target_config import DnsLabel
from webhook_drivers.kubernetes.strategies.strategy import LookT, Step, Task
from webhook_service import DriverConfig, DriverError

MAX_ANSWER = 64 * 1024
QUERY_TIMEOUT = 10.0
PASSED = "passed"
Url = Annotated[str, Field(max_length=2000, pattern=r"^https?://[^\s/?#@]+(/[^\s#]*)?$")]
PortNumber = Annotated[int, Field(ge=1, le=65535, strict=True)]


class HttpCheck(DriverConfig):
    """Ask some times in a row; the first wrong answer fails."""

    path: str = Field(
        default="/",
        max_length=2000,
        pattern=r"^/[^\s#]*$",
        description="What to ask for, with its query.",
    )
    port: PortNumber | DnsLabel | None = Field(
        default=None,
        description="The Service's port, by number or name; a Service of one port needs none.",
    )
    url: Url | None = Field(
        default=None,
        description="Ask this address instead of the Service; private ones must be allowed by the "
        "operator (allow_private).",
    )
    expect_status: int = Field(default=200, ge=100, le=599, description="The right answer.")
    count: int = Field(default=1, ge=1, le=1000, description="How many right answers in a row.")
    interval_seconds: int = Field(default=2, ge=0, le=300, description="The pause between two.")
    timeout_seconds: int = Field(default=5, ge=1, le=20, description="How long one may take.")

    def problem(self, task: Task, service: Address) -> str:
        """What is wrong with one answer; empty if nothing is."""
        status = self._ask_url(task) if self.url else self._ask_service(task, service)
        if status == self.expect_status:
            return ""
        asked = self.url or f"{service}{self.path}"
        return f"the check of {asked} was answered {status} instead of {self.expect_status}"

    def _ask_service(self, task: Task, service: Address) -> int:
        name = f"{service.name}:{self.port}" if self.port else service.name
        reply = task.cluster.through_service(
            service.namespace, name, self.path, keep=MAX_ANSWER, timeout=self.timeout_seconds
        )
        return reply.status

    def _ask_url(self, task: Task) -> int:
        return _fetch(task, str(self.url), self.timeout_seconds)[0]


class Prometheus(DriverConfig):
    """A number that a Prometheus knows must lie within limits.

    https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
    """

    url: Url = Field(description="Of the Prometheus, without /api/v1; see a check's url.")
    query: str = Field(min_length=1, max_length=5000, description="In PromQL.")
    min: float | None = Field(default=None, description="The lowest good number.")
    max: float | None = Field(default=None, description="The highest good number.")

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("say `min`, `max`, or both")
        return self

    def problem(self, task: Task) -> str:
        """What is wrong with the numbers now; empty if nothing is."""
        status, body = _fetch(task, f"{self._query_url}", QUERY_TIMEOUT)
        values = _values(body) if status == 200 else None
        if values is None:
            return f"Prometheus answered {status}, and no numbers, to {self.query[:200]}"
        if not values:
            return f"Prometheus has no number for {self.query[:200]} (add `or vector(0)`)"
        low = float("-inf") if self.min is None else self.min
        high = float("inf") if self.max is None else self.max
        bad = [value for value in values if not low <= value <= high]
        return f"{self.query[:200]} is {bad[0]:g}, outside of its limits" if bad else ""

    @property
    def _query_url(self) -> str:
        return f"{self.url.rstrip('/')}/api/v1/query?query={quote(self.query, safe='')}"


def ask(
    task: Task, state: RolloutState, check: HttpCheck, service: Address, look: LookT
) -> Step[LookT] | None:
    """Ask once more; None when all answers were right.

    Raises:
        DriverError: a wrong answer.
    """
    passed = int(str(state.notes.get(PASSED, 0)))
    if passed >= check.count:
        return None
    if problem := check.problem(task, service):
        raise DriverError(problem, code="check_failed")
    passed += 1
    after = float(check.interval_seconds) if passed < check.count else 0.0
    message = f"{passed} of {check.count} checks passed"
    return Step(
        look,
        state.having(notes={**state.notes, PASSED: passed}),
        Progress(Stage.PAUSED, message, after),
    )


def _fetch(task: Task, url: str, timeout: float) -> tuple[int, bytes]:
    # The HTTP client takes some of a host's start and memory: loaded where it is used.
    from webhook_service import Outbound, OutboundError

    outbound = Outbound(timeout=timeout, max_bytes=MAX_ANSWER, allow_private=task.allowed)
    try:
        reply = outbound.get(url, redirects=False)
    except OutboundError as error:
        raise DriverError(error.message, code="check_failed") from error
    finally:
        outbound.close()
    return reply.status, reply.body


def _values(body: bytes) -> list[float] | None:
    """The numbers of an answer; None if it is none of a Prometheus."""
    try:
        data = json.loads(body)["data"]
        if data["resultType"] == "scalar":
            return [float(data["result"][1])]
        return [float(sample["value"][1]) for sample in data["result"]]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None
