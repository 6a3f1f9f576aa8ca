"""Amazon SNS as far as its messages go: a topic that signs, and the host that vouches for it."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self, cast
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.x509.oid import NameOID

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TOPIC = "arn:aws:sns:eu-west-1:123456789012:pushes"
HOST = "sns.eu-west-1.amazonaws.com"
PATH = "/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
HASHES: Mapping[str, type[hashes.HashAlgorithm]] = {"1": hashes.SHA1, "2": hashes.SHA256}
# The order in which SNS signs; a field that a message does not have is left out.
SIGNED = (
    "Message",
    "MessageId",
    "Subject",
    "SubscribeURL",
    "Timestamp",
    "Token",
    "TopicArn",
    "Type",
)


@cache
def signing_key(name: str = "sns", bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def certificate(
    names: tuple[str, ...] = ("sns.amazonaws.com",),
    *,
    key: rsa.RSAPrivateKey | None = None,
    start: datetime = NOW - timedelta(days=30),
    end: datetime = NOW + timedelta(days=30),
    authority: bool = False,
    alternative_names: bool = True,
) -> bytes:
    """A certificate that signs itself, as PEM."""
    key = key or signing_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(end)
    )
    if alternative_names:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(each) for each in names])
        builder = builder.add_extension(alternatives, critical=False)
    if authority:
        builder = builder.add_extension(x509.BasicConstraints(True, None), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def notification(message: str = "Hello", sent: datetime = NOW, **changes: Any) -> dict[str, Any]:
    """A notification, not signed yet; a change to None takes a field away."""
    return _changed(
        {
            "Type": "Notification",
            "MessageId": str(uuid5(NAMESPACE_URL, message)),
            "TopicArn": TOPIC,
            "Message": message,
            "Timestamp": _stamp(sent),
            "UnsubscribeURL": f"https://{HOST}/?Action=Unsubscribe&SubscriptionArn={TOPIC}:1",
        },
        changes,
    )


def confirmation(
    kind: str = "SubscriptionConfirmation", sent: datetime = NOW, **changes: Any
) -> dict[str, Any]:
    """A request to confirm a subscription, or the end of one."""
    url = f"https://{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37"
    return _changed(
        {
            "Type": kind,
            "MessageId": str(uuid5(NAMESPACE_URL, kind)),
            "Token": "2336412f37",
            "TopicArn": TOPIC,
            "Message": "You have chosen to subscribe to the topic.",
            "SubscribeURL": url,
            "Timestamp": _stamp(sent),
        },
        changes,
    )


def signed(
    message: Mapping[str, Any],
    version: str = "2",
    key: rsa.RSAPrivateKey | None = None,
    **changes: Any,
) -> bytes:
    """The body of the call: the message with its signature; changes come after it."""
    text = "".join(f"{name}\n{message[name]}\n" for name in SIGNED if name in message)
    hash_ = HASHES.get(version, hashes.SHA256)()
    signature = (key or signing_key()).sign(text.encode(), PKCS1v15(), hash_)
    whole = dict(message) | {
        "SignatureVersion": version,
        "Signature": base64.b64encode(signature).decode(),
        "SigningCertURL": f"https://{HOST}{PATH}",
    }
    return json.dumps(_changed(whole, changes)).encode()


def _changed(values: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (values | dict(changes)).items() if value is not None}


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


class SnsHost:
    """Use as a context manager; `local` says where a URL of Amazon's is served here."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {PATH: certificate()}
        self.requests: list[str] = []
        self.down = False
        self._server = _Server(self)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), name="sns")

    def local(self, url: str) -> str:
        parts = urlsplit(url)
        assert (parts.scheme, parts.netloc) == ("https", HOST), "a call to another server"
        return f"http://127.0.0.1:{self._server.server_port}{parts.path}?{parts.query}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    request_queue_size = 64

    def __init__(self, host: SnsHost) -> None:
        self.host = host
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        host = cast(_Server, self.server).host
        path, _, query = self.path.partition("?")
        host.requests.append(f"{path}?{query}" if query else path)
        confirmed = b"<ConfirmSubscriptionResponse/>" if "ConfirmSubscription" in query else None
        body = None if host.down else host.documents.get(path, confirmed)
        self.send_response(503 if host.down else 404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, format: str, *args: Any) -> None:
        pass
