"""Mail to a real SMTP server of the test."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.message import Message
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as Keep
from aiosmtpd.smtp import SMTP, AuthResult

from tests.notifications.conftest import StartService, ended
from tests.notifications.test_kinds import LINK, LONG, NOTICE
from tests.servers.certificates import self_signed, server_side
from tests.support import PROJECT
from webhook_service.errors import DriverError, Retry, SettingsError
from webhook_service.net.outbound import Outbound
from webhook_service.notifications.kind import Sending
from webhook_service.notifications.kinds.mail import MailConfig, ToMail
from webhook_service.notifications.mailer import Mailer
from webhook_service.settings import load_settings

PASSWORD = "hush:hush"
TO = MailConfig(to=("ops@example.com", "dev@example.com"))


class Box(Keep):
    """Keeps messages; ``refuses`` is what it answers instead, to ``refuses_only`` a 550."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Message] = []
        self.refuses = ""
        self.refuses_only = ""

    def handle_message(self, message: Message) -> None:
        self.messages.append(message)

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if self.refuses:
            return self.refuses
        if address == self.refuses_only:
            return "550 No such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"


MailServer = Callable[..., tuple[Box, str]]


@pytest.fixture
def serve() -> Iterator[MailServer]:
    """Starts mail servers; gives the box and ``host:port``."""
    running: list[Controller] = []

    def serve(**options: Any) -> tuple[Box, str]:
        box = Box()
        controller = Controller(box, hostname="127.0.0.1", port=_free_port(), **options)
        controller.start()
        running.append(controller)
        return box, f"127.0.0.1:{controller.port}"

    yield serve
    for controller in running:
        controller.stop()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def mail(url: str, notice: Any = NOTICE, **more: Any) -> str:
    outbound = Outbound(allow_private=[ip_network("127.0.0.0/8")])
    mailer = Mailer(url, "hooks@example.com")
    sending = Sending(id="exe_9", at=datetime.now(UTC), outbound=outbound, mailer=mailer, **more)
    return ToMail().send(TO, notice, sending)


def test_a_mail_says_what_happened_and_where_to_look(serve: MailServer) -> None:
    box, at = serve()
    assert mail(f"smtp://{at}", link=LINK) == "Sent to 2 addresses."
    (message,) = box.messages
    assert message["Subject"] == "[1a5] docker.io/acme/shop:1.2.3 failed"
    assert (message["From"], message["To"]) == (
        "hooks@example.com",
        "ops@example.com, dev@example.com",
    )
    assert message["Message-ID"] == "<exe_9@example.com>"
    assert message["Auto-Submitted"] == "auto-generated"
    text = message.get_payload(decode=True)
    assert isinstance(text, bytes)
    assert b"No <pod> starts & @channel waits." in text and LINK.encode() in text


def test_each_person_gets_a_link_to_vote_of_their_own(serve: MailServer) -> None:
    box, at = serve()
    said = mail(f"smtp://{at}", vote_link=lambda voter: f"https://hooks.example.com/vote?{voter}")
    assert said == "Sent to 2 addresses."
    for message, other in zip(box.messages, ["dev", "ops"], strict=True):
        text = message.get_payload(decode=True)
        assert isinstance(text, bytes)
        assert f"/vote?{message['To']}".encode() in text and other not in message["To"]
    assert len({message["Message-ID"] for message in box.messages}) == 2


def test_a_person_whose_mail_is_refused_keeps_no_other_from_voting(serve: MailServer) -> None:
    box, at = serve()
    box.refuses_only = "ops@example.com"
    with pytest.raises(DriverError, match="refused every recipient"):
        mail(f"smtp://{at}", vote_link=lambda voter: f"https://hooks.example.com/vote?{voter}")
    assert [message["To"] for message in box.messages] == ["dev@example.com"]


def test_nobody_writes_headers_of_a_mail(serve: MailServer) -> None:
    box, at = serve()
    mail(f"smtp://{at}", replace(LONG, image="a\r\nBcc: eve@example.com\r\n\r\nx"))
    (message,) = box.messages
    assert message["Bcc"] is None and len(message["Subject"]) < 300


@pytest.mark.parametrize(
    ("answer", "error"),
    [("450 Later", Retry), ("550 No such user", DriverError), ("550 No", DriverError)],
)
def test_what_a_server_refuses_is_retried_only_if_it_passes(
    serve: MailServer, answer: str, error: type[DriverError]
) -> None:
    box, at = serve()
    box.refuses = answer
    with pytest.raises(DriverError) as caught:
        mail(f"smtp://{at}")
    assert type(caught.value) is error and "refused every recipient" in caught.value.message
    assert box.messages == []


def test_a_server_that_is_away_is_tried_again() -> None:
    with pytest.raises(Retry, match="The mail server 127.0.0.1 cannot be used"):
        mail(f"smtp://127.0.0.1:{_free_port()}")


def test_no_password_goes_over_an_open_line(serve: MailServer) -> None:
    box, at = serve()
    with pytest.raises(DriverError, match="offers no TLS, so no password is sent") as caught:
        mail(f"smtp://me:hush%3Ahush@{at}")
    assert PASSWORD not in caught.value.message and "hush%3Ahush" not in caught.value.message
    assert box.messages == []


@pytest.mark.parametrize(("scheme", "right"), [("smtp", True), ("smtps", True), ("smtp", False)])
def test_a_password_goes_through_tls(
    serve: MailServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    scheme: str,
    right: bool,
) -> None:
    key, certificate = self_signed(tmp_path, "127.0.0.1", "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    said: list[str] = []

    def authenticator(server: SMTP, session: Any, envelope: Any, how: str, data: Any) -> AuthResult:
        said.append(data.password.decode())
        return AuthResult(success=right, handled=False)

    tls = server_side(key, certificate)
    own: dict[str, Any] = {"ssl_context": tls} if scheme == "smtps" else {"tls_context": tls}
    own |= {"authenticator": authenticator, "auth_require_tls": scheme == "smtp"}
    box, at = serve(**own)
    url = f"{scheme}://me:hush%3Ahush@{at}"
    if right:
        mail(url)
        assert len(box.messages) == 1
    else:
        with pytest.raises(DriverError, match="127.0.0.1 answered 535") as caught:
            mail(url)
        assert PASSWORD not in caught.value.message
    assert set(said) == {PASSWORD}


def test_mail_goes_out_by_the_operators_settings(serve: MailServer, start: StartService) -> None:
    box, at = serve()
    service = start(
        smtp_url=f"smtp://{at}",
        smtp_from="hooks@example.com",
        base_url="https://hooks.example.com",
        console=True,
    )
    body = {"name": "m", "kind": "mail", "on": ["failed"], "mailConfig": {"to": ["a@example.com"]}}
    made = service.notifications.create(PROJECT, body)
    service.notifications.test(PROJECT, made.id)
    (notice,) = ended(service, made)
    assert notice.state == "succeeded", notice.message
    text = box.messages[0].get_payload(decode=True)
    # A test is about no delivery, so there is no page to look at.
    assert isinstance(text, bytes) and b"/deliveries/" not in text
    assert b"The notification m works" in text
    assert b"Notification" in text and b"Receiver" not in text


def test_without_a_mail_server_a_mail_says_what_to_set(start: StartService) -> None:
    service = start()
    body = {"name": "m", "kind": "mail", "on": ["failed"], "mailConfig": {"to": ["a@example.com"]}}
    made = service.notifications.create(PROJECT, body)
    service.notifications.test(PROJECT, made.id)
    (notice,) = ended(service, made)
    assert (notice.state, notice.reason) == ("failed", "mail_not_set")
    assert "WEBHOOK_SERVICE_SMTP_URL" in notice.message


@pytest.mark.parametrize(
    "settings",
    [
        {"smtp_url": "smtp://mail.example.com"},
        {"smtp_from": "a@example.com"},
        {"smtp_url": "http://mail.example.com", "smtp_from": "a@example.com"},
        {"smtp_url": "smtp://", "smtp_from": "a@example.com"},
        {"smtp_url": "smtp://mail.example.com", "smtp_from": "nobody"},
    ],
)
def test_settings_that_send_no_mail_are_refused(settings: dict[str, str]) -> None:
    with pytest.raises(SettingsError):
        load_settings(**settings)
