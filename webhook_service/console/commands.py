"""Commands to copy: the same thing on the command line and over the API."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from webhook_service.host.api.callers.access import Action
from webhook_service.model.receiver import Receiver

TOKEN = '"Authorization: Bearer $WEBHOOK_SERVICE_TOKEN"'


@dataclass(frozen=True, slots=True)
class Command:
    """What can be copied, and what it does.

    Attributes:
        needs: the action that a role must allow; who may not gets no such command.
    """

    title: str
    text: str
    needs: Action = Action.READ


def cli(*words: str, project: str) -> str:
    """A line of the command line."""
    return shlex.join(["webhook-service", *words, "--project", project])


def post(api: str, path: str, project: str, body: str = "") -> str:
    """A curl line for the API, with the token in a variable."""
    url = f"{api}{path}?projectId={quote(project, safe='')}"
    sent = "" if not body else f" -H 'Content-Type: application/json' -d {shlex.quote(body)}"
    return f"curl -X POST -H {TOKEN}{sent} {shlex.quote(url)}"


def with_url(receiver: str, project: str, line: str) -> str:
    """A line that uses ``"$URL"``, after one that asks for the receiver's URL.

    The URL is a credential, and the page may be on a screen that others see.
    """
    show = cli("receiver", "show", receiver, "--output", "yaml", project=project)
    return f"URL=$({show} | sed -n 's/^url: //p')\n{line}"


def call(body: bytes, headers: Mapping[str, str] | None = None) -> str | None:
    """A curl line that repeats a call to ``"$URL"``; None if its body is no text."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    if "\0" in text:
        return None
    given = headers or {"Content-Type": "application/json"}
    fields = " ".join(f"-H {shlex.quote(f'{name}: {value}')}" for name, value in given.items())
    return f'curl {fields} --data-binary {shlex.quote(text)} "$URL"'


def takes_plain_calls(receiver: Receiver) -> bool:
    """Whether a command gets through to a receiver by its URL alone: nothing here signs a call."""
    return receiver.spec.listen.own_url and receiver.spec.verify.scheme == "none"
