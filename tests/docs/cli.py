"""docs/cli.md, made from the commands. ``python -m tests.docs.cli`` writes it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from webhook_service.cli.app import app
from webhook_service.cli.examples import EXAMPLES, PROGRAM

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
HOW = "run `python -m tests.docs.cli`"
HEAD = """# The command line

This page is made from the commands: `webhook-service COMMAND --help` says the same. How commands
reach a service elsewhere, and what the exit codes mean, stands in
[Operations](operations.md#commands-from-anywhere).
"""


def made() -> str:
    """What the page is to be."""
    root: Any = typer.main.get_command(app)
    return "\n".join([HEAD, *_section("", root), *_below("", root)]).rstrip() + "\n"


def _below(path: str, group: Any) -> Iterator[str]:
    for name, command in group.commands.items():
        words = f"{path} {name}".strip()
        if getattr(command, "commands", None):
            yield from _below(words, command)
        else:
            yield from _section(words, command)


def _section(path: str, command: Any) -> Iterator[str]:
    if path:
        yield f"\n## {path}\n"
        yield "\n\n".join(" ".join(part.split()) for part in (command.help or "").split("\n\n"))
    rows = [row for row in map(_row, command.params) if row]
    if rows:
        yield "\n| | |\n|---|---|"
        yield from rows
    if path in EXAMPLES:
        yield "\n```sh"
        yield from (f"{PROGRAM} {example}" for example in EXAMPLES[path])
        yield "```"


def _row(param: Any) -> str | None:
    said = " ".join((getattr(param, "help", None) or "").split()).replace("|", "\\|")
    if param.param_type_name == "argument":
        return f"| `{param.metavar or param.name.upper()}` | {said} |"
    if "completion" in param.name or param.name == "help":
        return None
    names = ", ".join(f"`{name}`" for name in param.opts)
    return f"| {names} | {said} |"


if __name__ == "__main__":
    PAGE.write_text(made())
