"""Tokens in v1.6's oldest URLs, as its code made them: RS256, and no claims but its own."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from tests.servers.oidc import encoded, key_of, unsigned
from tests.servers.sns import signing_key
from tests.support import sqlite_url
from webhook_service.errors import SettingsError, UnknownKey
from webhook_service.receiving.v16.token import MAX_TOKEN, LegacyTokens
from webhook_service.service import WebhookService
from webhook_service.settings import load_settings

UUID = "a5b1f0de-4c1f-4b2a-9d3e-0123456789ab"
CLAIMS = {
    "driver": "serviceUpgrade",
    "projectId": "1a5",
    "uuid": UUID,
    "config": {"tag": "latest"},
}
PRIVATE = signing_key("v16")
NOW = int(time.time())


def public_pem(key: Any = PRIVATE) -> bytes:
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    pem: bytes = key.public_key().public_bytes(serialization.Encoding.PEM, info)
    return pem


@pytest.fixture
def tokens() -> LegacyTokens:
    return LegacyTokens(PRIVATE.public_key())


def token_of(key: Any = PRIVATE, algorithm: str = "RS256", **changes: Any) -> str:
    whole = {name: value for name, value in (CLAIMS | changes).items() if value is not None}
    return jwt.encode(whole, key, algorithm)


def test_a_token_of_v1_6_names_project_and_key(tokens: LegacyTokens) -> None:
    assert tokens.read(token_of()) == ("1a5", UUID)


def test_other_claims_do_not_matter(tokens: LegacyTokens) -> None:
    token = token_of(driver=None, config=None, aud="a", iss="b", sub=7, exp=NOW + 86_400, jti=1)
    assert tokens.read(token) == ("1a5", UUID)


@pytest.mark.parametrize(
    "changes",
    [
        {"projectId": None},
        {"uuid": None},
        {"projectId": 5},
        {"uuid": [UUID]},
        {"projectId": "1a5\x00"},
        {"projectId": "1a5\n"},
        {"projectId": "\ud800"},
        {"projectId": "1" * 256},
        {"exp": NOW - 10},
        {"nbf": NOW + 7 * 86_400},
        {"exp": "soon"},
        {"exp": float("nan")},
    ],
)
def test_false_claims_are_refused(tokens: LegacyTokens, changes: dict[str, Any]) -> None:
    assert tokens.read(token_of(**changes)) is None


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b.c",
        "..",
        unsigned(CLAIMS),
        unsigned(CLAIMS, "RS256"),
        token_of(signing_key("thief")),
        token_of(algorithm="RS512"),
        token_of(algorithm="PS256"),
        token_of(key_of("ES256", "thief"), "ES256"),
        token_of(padding="x" * MAX_TOKEN),
        token_of().rpartition(".")[0] + ".",
        token_of()[:-4] + "AAAA",
        token_of() + "\n",
        f"{encoded({'alg': 'HS256'})}.{encoded(CLAIMS)}.{encoded('x')}",
        "é.é.é",
    ],
)
def test_a_forged_token_is_refused(tokens: LegacyTokens, token: str) -> None:
    assert tokens.read(token) is None


def test_the_public_key_is_no_shared_secret(tokens: LegacyTokens) -> None:
    import base64
    import hashlib
    import hmac

    content = f"{encoded({'alg': 'HS256', 'typ': 'JWT'})}.{encoded(CLAIMS)}"
    mac = hmac.new(public_pem(), content.encode(), hashlib.sha256).digest()
    signature = base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
    assert tokens.read(f"{content}.{signature}") is None


@pytest.mark.parametrize(
    "form", [serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.PKCS1]
)
def test_the_key_is_read_from_a_file(tmp_path: Path, form: serialization.PublicFormat) -> None:
    file = tmp_path / "v16.pem"
    file.write_bytes(PRIVATE.public_key().public_bytes(serialization.Encoding.PEM, form))
    assert LegacyTokens.from_file(file).read(token_of()) == ("1a5", UUID)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read: No such file"),
        (b"", "holds no public key"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "holds no public key"),
        (public_pem(key_of("ES256", "a")), "no RSA key of at least 2048 bits"),
        (public_pem(rsa.generate_private_key(65537, 1024)), "no RSA key of at least 2048 bits"),
        (
            PRIVATE.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
            r"holds a private key.*`openssl pkey -in FILE -pubout` prints",
        ),
    ],
)
def test_a_file_without_such_a_key_stops_the_start(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    file = tmp_path / "v16.pem"
    if content is not None:
        file.write_bytes(content)
    settings = load_settings(database_url=sqlite_url(tmp_path), v16_public_key_file=file)
    with pytest.raises(SettingsError, match=problem) as error:
        WebhookService.open(settings, run=False)
    assert error.value.message.startswith("WEBHOOK_SERVICE_V16_PUBLIC_KEY_FILE: ")


def test_the_setting_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "v16.pem"
    file.write_bytes(public_pem())
    monkeypatch.setenv("WEBHOOK_SERVICE_V16_PUBLIC_KEY_FILE", str(file))
    monkeypatch.setenv("WEBHOOK_SERVICE_DATABASE_URL", sqlite_url(tmp_path))
    with WebhookService.open(run=False) as service:
        assert service.read_v16_token(token_of()) == ("1a5", UUID)
        with pytest.raises(UnknownKey):
            service.read_v16_token(token_of(signing_key("thief")))


def test_a_certificate_holds_the_key_too(tmp_path: Path) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "rancher")])
    begin = datetime(2017, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(
        name, name, PRIVATE.public_key(), 1, begin, begin.replace(2038)
    )
    pem = builder.sign(PRIVATE, SHA256()).public_bytes(serialization.Encoding.PEM)
    (tmp_path / "api.crt").write_bytes(pem)
    assert LegacyTokens.from_file(tmp_path / "api.crt").read(token_of()) == ("1a5", UUID)
