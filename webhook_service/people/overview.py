"""The overview: what people look at, beside what the API lists."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from webhook_service.model.execution import Execution
from webhook_service.model.history.delivery_log import LogEntry, LogPage, LogQuery, Pulse
from webhook_service.model.history.figures import Figures
from webhook_service.model.history.outage import Outage
from webhook_service.store.store import Store


class Overview:
    """Reads a project for people. An id of another project raises NotFound."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def log(self, project: str, asked: LogQuery) -> LogPage:
        """A page of deliveries with what came of them, newest first."""
        return self._store.log.page(project, asked)

    def entries(self, project: str, ids: Collection[str]) -> Sequence[LogEntry]:
        """Some deliveries with what came of them, oldest first."""
        return self._store.log.entries(project, ids)

    def newer(self, project: str, than: str | None) -> Sequence[LogEntry]:
        """The newest deliveries after one of them, oldest first."""
        return self._store.log.newer(project, than)

    def under_way(self, project: str) -> Mapping[str, Pulse]:
        """What moves now, by execution; if one of them changes, it has moved on."""
        return self._store.log.under_way(project)

    def body(self, project: str, delivery: str) -> bytes | None:
        """The body of a call; None once it is pruned, or if none was kept."""
        return self._store.log.body(project, delivery)

    def undecided(self, project: str) -> Sequence[Execution]:
        """What waits for people's votes, oldest first, with the votes so far."""
        return self._store.approvals.undecided(project)

    def count_undecided(self, project: str) -> int:
        """How many executions wait for people's votes."""
        return self._store.approvals.count_undecided(project)

    def figures(self, project: str) -> Figures:
        """How often, how fast and how safely the project deployed lately."""
        return self._store.figures.figures(project, self._store.now())

    def outages(self, project: str) -> Sequence[Outage]:
        """What of the project waits for a server that does not answer, by receiver."""
        return self._store.outages.of_project(project)
