"""What the demonstration shows: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from webhook_service.demo.cluster import Pod, Snapshot
from webhook_service.model.execution import Execution, ExecutionState

Show = Callable[[Execution, Snapshot], None]
COLOURS = {
    ExecutionState.SUCCEEDED: "green",
    ExecutionState.UNCHANGED: "green",
    ExecutionState.FAILED: "red",
    ExecutionState.SUPERSEDED: "yellow",
}


class View:
    """Everything goes to one console; nothing is folded, so that lines can be copied."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, markup=False, emoji=False)

    def say(self, text: str = "", style: str = "") -> None:
        self._console.print(Text(text, style), soft_wrap=True)

    def state(self, execution: Execution, text: str) -> None:
        """A line in the colour of the execution's state."""
        self.say(text, COLOURS.get(execution.state, ""))

    @contextmanager
    def rollout(self) -> Iterator[Show]:
        """Shows one execution; call what this gives whenever it may have changed."""
        if not self._console.is_terminal:
            yield self._lines()
            return
        with Live(console=self._console, auto_refresh=False) as live:
            yield lambda execution, seen: live.update(_frame(execution, seen), refresh=True)

    def _lines(self) -> Show:
        started, last = time.monotonic(), ""

        def show(execution: Execution, seen: Snapshot) -> None:
            nonlocal last
            groups = [f"{count} of {image}" for image, count in _counted(seen)]
            text = f"{execution.state:<9}  {', '.join(groups)}  {execution.message}".rstrip()
            if text != last:
                self.say(f"  {time.monotonic() - started:5.1f} s  {text}")
                last = text

        return show


def _frame(execution: Execution, seen: Snapshot) -> RenderableType:
    heading = Text(f"  {execution.state:<9}  ", COLOURS.get(execution.state, "cyan"))
    table = Table(box=None, show_header=False, padding=(0, 2))
    for image, pods in _by_images(seen).items():
        dots = Text(" ".join("●" if pod.ready else "○" for pod in pods))
        table.add_row(Text(image), dots, Text(_count(pods), "dim"))
    return Group(heading.append(execution.message, ""), table)


def _counted(seen: Snapshot) -> list[tuple[str, str]]:
    return [(image, _count(pods)) for image, pods in _by_images(seen).items()]


def _by_images(seen: Snapshot) -> dict[str, list[Pod]]:
    groups: dict[str, list[Pod]] = {}
    for pod in seen.pods:
        name = " + ".join(image.removeprefix("docker.io/") for image in pod.images.values())
        groups.setdefault(name, []).append(pod)
    return dict(sorted(groups.items()))


def _count(pods: list[Pod]) -> str:
    ready = sum(pod.ready for pod in pods)
    return f"{ready}/{len(pods)} ready"
