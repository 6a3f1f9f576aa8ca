"""A command's hold on the configured database, without HTTP and without an engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from webhook_service.host.http.links import Links
    from webhook_service.service import WebhookService


@dataclass(frozen=True)
class Session:
    """The service, and the address that receivers' URLs begin with."""

    service: WebhookService
    base_url: str

    def receiver_id(self, project: str, text: str) -> str:
        """The id of the receiver that an id or a name means."""
        from webhook_service.errors import NotFound
        from webhook_service.model.pages import PageRequest

        if text.startswith("rcv_"):
            return text
        page = self.service.list_receivers(project, PageRequest(filters={"name": text}))
        if not page.items:
            raise NotFound(f"There is no receiver {text[:100]!r} in the project.")
        return page.items[0].id

    def links(self, project: str) -> Links:
        """The links that the management API would answer with."""
        from webhook_service.host.http.links import Links

        return Links(self.base_url, project)


@contextmanager
def session() -> Iterator[Session]:
    """Open what the settings name; closed again at the end."""
    from webhook_service.service import WebhookService
    from webhook_service.settings import load_settings

    settings = load_settings()
    with WebhookService.open(settings, run=False) as service:
        yield Session(service, settings.base_url or f"http://{settings.listen}")
