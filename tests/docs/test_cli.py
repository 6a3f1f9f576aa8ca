"""docs/cli.md says what the commands say, and each command has examples that it takes."""

import shlex
from functools import cache
from typing import Any

import pytest
import typer

from tests.docs.cli import HOW, PAGE, made
from webhook_service.cli.app import app
from webhook_service.cli.examples import EXAMPLES, commands_of


def test_the_page_is_that_of_the_commands() -> None:
    assert PAGE.read_text() == made(), f"docs/cli.md is old: {HOW}"


def test_each_command_has_examples() -> None:
    assert {path for path, _ in commands_of(app)} == set(EXAMPLES)


@pytest.mark.parametrize("example", [each for found in EXAMPLES.values() for each in found])
def test_an_example_is_one_that_the_command_takes(example: str) -> None:
    assert left_over(shlex.split(example.partition(" <")[0])) == []


def left_over(words: list[str]) -> list[str]:
    """The words that a command has no place for; an option that is not there raises."""
    command: Any = _root()
    context = command.context_class(command)
    while True:
        # Not by making its context: that either forgives a wrong option, or asks for values.
        _, words, _ = command.make_parser(context).parse_args(list(words))
        if not getattr(command, "commands", None) or not words:
            break
        name, command, words = command.resolve_command(context, words)
        context = command.context_class(command, info_name=name, parent=context)
    return words


@cache
def _root() -> Any:
    return typer.main.get_command(app)


def test_what_a_command_does_not_take_is_noticed() -> None:
    for line in ("worker --concurency 8", "driver shw x", "driver list too much"):
        # typer has no name for the base of all errors of usage.
        with pytest.raises((typer.BadParameter.__mro__[1], AssertionError)):
            assert left_over(line.split()) == []
