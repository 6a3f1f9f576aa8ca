"""docs/cli.md says what the commands say, and each command has examples that it takes."""

import shlex

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
    """Its words are options and arguments that are there; what they name need not be."""
    command = typer.main.get_command(app)
    words = [word for word in shlex.split(example.partition(" <")[0])]
    context = command.make_context("x", words, resilient_parsing=True)
    while getattr(context.command, "commands", None):
        name, found, words = context.command.resolve_command(  # type: ignore[attr-defined]
            context, [*context._protected_args, *context.args]
        )
        assert found is not None, name
        context = found.make_context(name, words, parent=context, resilient_parsing=True)
    assert not context.args
