"""The driver of notices: it tells one target, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar

from pydantic import Field, ValidationError

from webhook_service.driver import (
    Context,
    Done,
    DriverConfig,
    Outcome,
    PushEvent,
    Request,
    Unchanged,
    WebhookDriver,
)
from webhook_service.errors import DriverError
from webhook_service.expressions.values import ExpressionFailed
from webhook_service.model.notice import Happened, Notice
from webhook_service.model.notification import NOTIFY
from webhook_service.model.people.ballot import LINK_LIFETIME, VoteLink
from webhook_service.model.receiver import config_field
from webhook_service.net.fetcher import outbound_of
from webhook_service.notifications.filter import compile_notice_filter
from webhook_service.notifications.kind import Sending
from webhook_service.notifications.links import link_to, vote_url
from webhook_service.notifications.mailer import Mailer
from webhook_service.plugins.instances import Drivers, NotificationKinds, new_notification_kinds
from webhook_service.receiving.bodies.receiver import describe
from webhook_service.settings import Settings
from webhook_service.store.secrets.vote_links import vote_links_of


class NotifyConfig(DriverConfig):
    """A notification, as its notices need it. With a ``voter`` it asks for votes."""

    kind: str
    when: str | None = None
    voter: str = ""
    config: Mapping[str, Any] = Field(default_factory=dict)


class Notify(WebhookDriver[NotifyConfig, Request]):
    """Sends notices.

    Args:
        settings: how other servers, and the operator's mail server, are reached.
        kinds: of targets; those that are installed if left out.
    """

    Config: ClassVar[type[DriverConfig]] = NotifyConfig
    consumes: ClassVar[type[PushEvent] | type[Request]] = Request

    def __init__(self, settings: Settings, kinds: NotificationKinds | None = None) -> None:
        super().__init__()
        self._settings = settings
        self._kinds = kinds or new_notification_kinds()
        self._outbound = outbound_of(settings)

    def execute(self, config: NotifyConfig, event: Request, context: Context) -> Outcome:
        notice = Notice.from_bytes(event.body)
        try:
            if config.when is not None and not compile_notice_filter(config.when)(notice):
                return Unchanged("The notification's filter leaves it out.")
        except ExpressionFailed as exc:
            raise DriverError(f"when: {exc}", code="filter_error") from exc
        kind = self._kinds.get(config.kind)
        if reason := kind.wants(notice):
            return Unchanged(reason)
        try:
            options = kind.Config.model_validate(dict(config.config))
        except ValidationError as exc:
            # An older release took it. Without the cause, which quotes what was given.
            told = describe(exc, config_field(config.kind))
            raise DriverError(f"{told}; change the notification.", code="invalid_config") from None
        return Done(message=kind.send(options, notice, self._sending(config, notice, context)))

    def close(self) -> None:
        self._outbound.close()
        self._kinds.close()

    def _sending(self, config: NotifyConfig, notice: Notice, context: Context) -> Sending:
        settings = self._settings
        url, sender = settings.smtp_url, settings.smtp_from
        return Sending(
            id=context.execution,
            at=datetime.now(UTC),
            outbound=self._outbound(),
            mailer=None if url is None or sender is None else Mailer(url, sender),
            link=link_to(settings.base_url, notice) if settings.console else "",
            service=settings.base_url or "",
            vote_link=partial(self._vote_link, config, notice, context.receiver),
        )

    def _vote_link(
        self, config: NotifyConfig, notice: Notice, notification: str, voter: str
    ) -> str:
        """The link by which somebody votes on what a notice tells; empty if nobody is asked."""
        base_url, until = self._settings.base_url, datetime.now(UTC) + LINK_LIFETIME
        if not config.voter or notice.happened is not Happened.HELD or base_url is None:
            return ""
        if notice.approve_by:
            until = min(until, datetime.fromisoformat(notice.approve_by))
        link = VoteLink(notification, notice.execution, until, voter)
        links = vote_links_of(self._settings)
        return vote_url(base_url, links.make(link, config.voter, config.config))


def with_notices(drivers: Drivers, settings: Settings) -> Drivers:
    """Drivers that send notices, too."""
    drivers.keep(NOTIFY, Notify(settings))
    return drivers
