"""The URL that registries call, and commands for people to try it with."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from webhook_service.demo.scenario import Scenario
from webhook_service.errors import DriverError
from webhook_service.testing.samples import dockerhub_push

NAME = "webhook-service"
TIMEOUT = 30.0


def endpoint(address: str, key: str, project: str) -> str:
    return f"{address}/v1-webhooks/endpoint?{urlencode({'key': key, 'projectId': project})}"


def post(url: str, body: bytes) -> dict[str, Any]:
    """Call the endpoint as a registry does; the answer's JSON."""
    import httpx

    reply = httpx.post(
        url, content=body, headers={"content-type": "application/json"}, timeout=TIMEOUT
    )
    if reply.status_code != 200:
        raise DriverError(f"The endpoint answered {reply.status_code}: {reply.text[:300]}")
    answer: dict[str, Any] = reply.json()
    return answer


def hints(
    url: str, address: str, token: str, told: Scenario, links: Sequence[str]
) -> Iterator[str]:
    """Lines to show: headings end in a colon, the others are links and commands to copy."""
    if links:
        yield ""
        yield "Look at it in a browser (the link logs in once, within ten minutes):"
        yield from (f"  {link}" for link in links)
    yield ""
    yield "Push another tag; each new one rolls out:"
    yield f"  curl -H 'Content-Type: application/json' -d {_body(told)} '{url}'"
    yield ""
    yield "The same in short:"
    yield f"  {_program()} send --image {told.repository}:{told.next} '{url}'"
    yield ""
    yield "See what was done, with a token for the management API:"
    yield f"  curl -H 'Authorization: Bearer {token}' {address}/v1-webhooks/executions"


def _program() -> str:
    """How this very command was called: a virtual environment's is not in the PATH."""
    called = sys.argv[0]
    return shlex.quote(called) if Path(called).stem == NAME else NAME


def _body(told: Scenario) -> str:
    """A Docker Hub body in quotes for a shell, with the time at which the line is run."""
    body = json.loads(dockerhub_push(told.repository, told.next))
    body["push_data"]["pushed_at"] = "NOW"
    return "'" + json.dumps(body).replace('"NOW"', "'$(date +%s)'") + "'"
