"""What a push tells a Job: values by declared names, in variables and arguments. Pure.

Values are data. None becomes a part of code, such as the text behind ``sh -c``, or of a variable
that programs obey; and what Kubernetes itself would expand in them, ``$(NAME)``, is written so that
it stays as it is:
https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, get_args

from pydantic import Field

from webhook_drivers.kubernetes.api.resources import Json
from webhook_drivers.kubernetes.jobs.code_arguments import code_arguments
from webhook_drivers.kubernetes.jobs.obeyed_variables import is_obeyed
from webhook_service import Context, DriverConfig, DriverError, PushEvent

MAX_VALUE = 1024
UNSAFE = "unsafe_parameters"
Value = Literal[
    "image",
    "registry",
    "repository",
    "tag",
    "digest",
    "actor",
    "pushedAt",
    "sourceId",
    "delivery",
    "execution",
]
Variable = Annotated[str, Field(max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Argument = Annotated[str, Field(min_length=1, max_length=MAX_VALUE)]
_PLACE = re.compile(r"\{([A-Za-z]*)\}")
# Kubernetes puts a variable's value there, but not behind another dollar sign.
_EXPANDED = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
_CAPITAL = re.compile(r"(?=[A-Z])")


class Parameters(DriverConfig):
    """How a push is told to a container."""

    env: Mapping[Variable, Value] = Field(
        default={}, max_length=50, description="Variables to set, and what each is to hold."
    )
    args: tuple[Argument, ...] = Field(
        default=(),
        max_length=50,
        description="Arguments to add, with values in braces: --tag={tag}.",
    )


def unknown_places(args: Sequence[str]) -> list[str]:
    """What stands in braces and is the name of no value."""
    known = get_args(Value)
    return [name for text in args for name in _PLACE.findall(text) if name not in known]


def refuse_obeyed(config: Parameters) -> None:
    """
    Raises:
        DriverError: a variable is one that programs obey. Configs of 0.1.0 may have it.
    """
    for name, value in config.env.items():
        if is_obeyed(name):
            raise DriverError(
                f"env: {name} decides what programs load, run or trust, so no push may set it. "
                f"Take another name, such as {_variable(value)}.",
                code=UNSAFE,
            )


def refuse_code(container: Json, where: str, config: Parameters) -> None:
    """
    Args:
        where: the container is from, for the message.

    Raises:
        DriverError: a value would become a part of code. Configs of 0.1.0 may have that, and a
            container may have changed since its config was checked.
    """
    command, args = container.get("command") or (), container.get("args") or ()
    line = [*command, *args, *config.args]
    for number in code_arguments(command, line[len(command) :]):
        given = number >= len(line) - len(config.args)
        if found := _value_in(line[number], config, given):
            written, instead = found
            raise DriverError(
                f"{'args' if given else where}: {written} stands in code that a shell or an "
                f"interpreter runs, so whoever pushes could run anything. Instead, {instead}",
                code=UNSAFE,
            )


def _value_in(text: str, config: Parameters, given: bool) -> tuple[str, str] | None:
    """How a value of the push is written in a text, and how code gets it as data."""
    read = 'let the code read the variable {0}: in a shell, write "${0}" with the double quotes.'
    for found in _EXPANDED.finditer(text):
        if (name := found[1]) in config.env:
            return found[0], read.format(name)
    if given and (place := _PLACE.search(text)):
        name, value = _variable(place[1]), place[1]
        return place[0], f'set "env": {{"{name}": "{value}"}} and {read.format(name)}'
    return None


def values_of(event: PushEvent, context: Context) -> Mapping[str, str | None]:
    """The values of a push, by name."""
    return {
        "image": event.image,
        "registry": event.registry,
        "repository": event.repository,
        "tag": event.tag,
        "digest": event.digest,
        "actor": event.actor,
        "pushedAt": event.pushed_at.isoformat() if event.pushed_at else None,
        "sourceId": event.source_id,
        "delivery": context.delivery,
        "execution": context.execution,
    }


def parametrised(container: Json, config: Parameters, values: Mapping[str, str | None]) -> Json:
    """The container with the parameters, after those of its own.

    Raises:
        DriverError: the push lacks a value, or one cannot be passed on.
    """
    new = [{"name": name, "value": _value(value, values)} for name, value in config.env.items()]
    kept = [item for item in container.get("env") or () if item.get("name") not in config.env]
    found = {**container, "env": [*kept, *new]}
    if config.args:
        args = [_argument(text, values) for text in config.args]
        found["args"] = [*(container.get("args") or ()), *args]
    return found


def _variable(value: str) -> str:
    """A name for the variable that holds a value: ``PUSH_SOURCE_ID`` for sourceId."""
    return f"PUSH_{_CAPITAL.sub('_', value).upper()}"


def _argument(text: str, values: Mapping[str, str | None]) -> str:
    found = _PLACE.sub(lambda place: _value(place[1], values), text)
    if found.startswith("-") and not text.startswith("-"):
        raise DriverError(
            f"The argument {text} would be read as an option: write it behind an option's name, "
            "such as --tag={tag}.",
            code="bad_value",
        )
    return found


def _value(name: str, values: Mapping[str, str | None]) -> str:
    value = values[name]
    if not value:
        raise DriverError(
            f"The push says no {name}, which the Job is to be told: leave it out of the receiver's "
            "config, or use a sender that says it.",
            code="missing_value",
        )
    if len(value) > MAX_VALUE or not value.isprintable():
        raise DriverError(
            f"The push's {name} is too long or has characters that cannot be passed on.",
            code="bad_value",
        )
    return value.replace("$", "$$")
