"""Mail by the operator's server: who sends, and over which connection."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from webhook_service.errors import DriverError, Retry

TIMEOUT = 20.0
PORTS = {"smtp": 25, "smtps": 465}


@dataclass(frozen=True, slots=True)
class Mailer:
    """Sends mail through one server.

    Args:
        url: ``smtps://user:password@host`` is TLS from the beginning. ``smtp://host:587`` begins
            without, and takes the server's offer of STARTTLS; with a password it insists on it.
        sender: the address that mail comes from.
    """

    url: str
    sender: str

    def send(self, message: EmailMessage) -> None:
        """Send a message to those that it names.

        Raises:
            Retry: the server cannot be reached, or takes no mail now.
            DriverError: it will not take this one.
        """
        parts = urlsplit(self.url)
        host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        try:
            with self._connect(parts.scheme, host, port) as server:
                if parts.scheme == "smtp":
                    self._secure(server, host, needed=bool(parts.password))
                if parts.username:
                    server.login(unquote(parts.username), unquote(parts.password or ""))
                server.send_message(message, from_addr=self.sender)
        except smtplib.SMTPRecipientsRefused as exc:
            codes = [code for code, _ in exc.recipients.values()]
            raise _refused(f"{host} refused every recipient", min(codes)) from None
        except smtplib.SMTPResponseException as exc:
            # Of the server's text nothing is said: it may repeat what it was sent.
            raise _refused(f"{host} answered {exc.smtp_code}", exc.smtp_code) from None
        except (smtplib.SMTPException, OSError) as exc:
            raise Retry(
                f"The mail server {host} cannot be used: {type(exc).__name__}.", code="mail_failed"
            ) from None

    def _connect(self, scheme: str, host: str, port: int) -> smtplib.SMTP:
        if scheme == "smtps":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(host, port, timeout=TIMEOUT, context=context)
        return smtplib.SMTP(host, port, timeout=TIMEOUT)

    def _secure(self, server: smtplib.SMTP, host: str, *, needed: bool) -> None:
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())
            server.ehlo()
        elif needed:
            raise DriverError(
                f"The mail server {host} offers no TLS, so no password is sent to it: an operator "
                "can write smtps:// in WEBHOOK_SERVICE_SMTP_URL, or leave the password out.",
                code="mail_failed",
            )


def _refused(said: str, code: int) -> DriverError:
    """RFC 5321, 4.2.1: what begins with a 4 passes, what begins with a 5 does not."""
    if 400 <= code < 500:
        return Retry(f"{said}.", code="mail_failed")
    return DriverError(f"{said}; check the addresses, or ask an operator.", code="mail_failed")
