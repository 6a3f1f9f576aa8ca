"""The sub-command ``new`` of ``driver``, ``format`` and ``scheme``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from webhook_service.cli.scaffold.distribution import NewDistribution, Noun

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="Its name in receivers, such as greetTeam.")
]
IntoOption = Annotated[
    Path, typer.Option("--into", metavar="FOLDER", help="Where its folder is made.")
]


def new_command(noun: Noun, group: str) -> Callable[[str, Path], None]:
    """The command that writes a new plug-in of one kind.

    Args:
        group: the entry points with the names that are taken.
    """

    def new(name: NameArgument, into: IntoOption = Path(".")) -> None:
        made = NewDistribution.named(noun, name)
        _refuse_taken(made, group)
        folder = made.write(into)
        typer.echo(f"{folder} has a {noun} that works, and its tests. Go on there:\n")
        typer.echo(f"  cd {folder}\n  python -m pip install -e '.[test]'\n  pytest")

    new.__doc__ = f"Write a distribution with a new {noun}. Its tests hold it to the contract."
    return new


def _refuse_taken(made: NewDistribution, group: str) -> None:
    from importlib.metadata import entry_points

    from webhook_service.errors import InvalidRequest

    for point in entry_points(group=group, name=made.name):
        owner = point.dist.name if point.dist else "another distribution"
        raise InvalidRequest(
            f"{owner} has a {made.noun} {made.name!r} already, and of two with one name neither "
            "can "
            "be used: choose another name."
        )
