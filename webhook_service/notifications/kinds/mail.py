"""The kind ``mail``: by the mail server that the operator has set."""

from __future__ import annotations

from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Annotated, ClassVar

from pydantic import Field

from webhook_service.driver import DriverConfig
from webhook_service.errors import DriverError, Retry
from webhook_service.model.notice import Notice
from webhook_service.notifications.kind import NotificationKind, Sending
from webhook_service.notifications.texts import cut, plain, title

MAX_SUBJECT = 200
Address = Annotated[
    str, Field(max_length=254, pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]+$")
]


class MailConfig(DriverConfig):
    """Who gets it."""

    to: tuple[Address, ...] = Field(
        min_length=1, max_length=20, description="Addresses such as ops@example.com."
    )


class ToMail(NotificationKind[MailConfig]):
    """Sends mail."""

    Config: ClassVar[type[DriverConfig]] = MailConfig
    shows_vote_link = True

    def send(self, config: MailConfig, notice: Notice, sending: Sending) -> str:
        if sending.mailer is None:
            raise DriverError(
                "There is no mail server: an operator can set WEBHOOK_SERVICE_SMTP_URL and "
                "WEBHOOK_SERVICE_SMTP_FROM.",
                code="mail_not_set",
            )
        failed: list[DriverError] = []
        for number, to in enumerate(_together(config, sending)):
            message = _message(to, number, notice, sending, sending.mailer.sender)
            try:
                sending.mailer.send(message)
            except DriverError as exc:
                failed.append(exc)  # the others get theirs
        if failed:
            raise next((exc for exc in failed if isinstance(exc, Retry)), failed[0])
        return f"Sent to {len(config.to)} address{'es' if len(config.to) > 1 else ''}."


def _together(config: MailConfig, sending: Sending) -> Sequence[Sequence[str]]:
    """Who gets one message: everybody, or each person their own if it brings a link to vote."""
    return [(address,) for address in config.to] if sending.vote_link("") else [config.to]


def _message(
    to: Sequence[str], number: int, notice: Notice, sending: Sending, sender: str
) -> EmailMessage:
    message = EmailMessage()
    subject = cut(f"[{notice.project}] {title(notice)}", MAX_SUBJECT)
    message["Subject"] = "".join(char if char.isprintable() else " " for char in subject)
    message["From"] = sender
    message["To"] = ", ".join(to)
    message["Date"] = format_datetime(sending.at)
    # The same whenever it is sent again: mailboxes know a copy by it.
    domain = sender.rpartition("@")[2].rstrip(">") or "localhost"
    message["Message-ID"] = f"<{sending.id}{f'.{number}' if number else ''}@{domain}>"
    # RFC 3834: nobody's holiday answers it.
    message["Auto-Submitted"] = "auto-generated"
    # As a proxy that logs people in names them: one person has one vote, by whatever way.
    vote = sending.vote_link(to[0].casefold())
    message.set_content(plain(notice, sending.link, vote) or title(notice))
    return message
