from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from pydantic import ValidationError

from webhook_service.model.public_keys import is_signed, read_keys
from webhook_service.model.rules.registry import RegistryRule

PEM = serialization.Encoding.PEM


def public_pem(key: Any) -> str:
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    text: bytes = key.public_key().public_bytes(PEM, kind)
    return text.decode()


def private_pem(key: Any) -> str:
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    text: bytes = key.private_bytes(PEM, *plain)
    return text.decode()


P256 = ec.generate_private_key(ec.SECP256R1())
KEYLESS = {"identity": "kim@example.com", "issuer": "https://issuer.example"}
ED25519 = ed25519.Ed25519PrivateKey.generate()


def test_rule_asks_for_the_digest_and_nothing_else_by_default() -> None:
    shown = RegistryRule().model_dump(mode="json", by_alias=True)
    assert shown == {
        "resolve": True,
        "platforms": [],
        "cosignKey": None,
        "cosignKeyless": None,
        "poll": None,
    }


def test_rule_reads_its_json() -> None:
    text = {"platforms": ["linux/amd64", "linux/arm/v7"], "cosignKey": public_pem(P256)}
    rule = RegistryRule.model_validate(text)
    assert rule.platforms == ("linux/amd64", "linux/arm/v7")
    assert rule.cosign_key == public_pem(P256)
    keyless = RegistryRule.model_validate({"cosignKeyless": KEYLESS}).cosign_keyless
    assert keyless is not None and keyless.identity == "kim@example.com"


@pytest.mark.parametrize(
    "text",
    [
        {"platform": ["linux/amd64"]},
        {"platforms": ["amd64"]},
        {"platforms": ["linux/"]},
        {"platforms": ["Linux/amd64"]},
        {"platforms": ["linux/arm/v7/x"]},
        {"platforms": ["linux/amd64\n"]},
        {"platforms": ["linux/amd64"] * 17},
        {"resolve": False, "platforms": ["linux/amd64"]},
        {"resolve": False, "cosignKey": public_pem(P256)},
        {"cosignKey": ""},
        {"cosignKey": "hush"},
        {"cosignKey": "x" * 20_000},
        {"cosignKey": public_pem(P256) + "more"},
        {"cosignKey": public_pem(P256).replace("M", "N", 3)},
        {"cosignKey": public_pem(P256) * 9},
        {"cosignKey": public_pem(ec.generate_private_key(ec.SECP384R1()))},
        {"cosignKey": public_pem(rsa.generate_private_key(65537, 1024))},
        {"cosignKey": private_pem(P256)},
        {"cosignKeyless": {}},
        {"cosignKeyless": {"identity": "kim@example.com"}},
        {"cosignKeyless": {"issuer": "https://issuer.example"}},
        {"cosignKeyless": KEYLESS | {"issuer": "issuer.example"}},
        {"cosignKeyless": KEYLESS | {"identity": ""}},
        {"cosignKeyless": KEYLESS | {"identityRegexp": ".*"}},
        {"cosignKeyless": KEYLESS | {"identity": "x" * 2000}},
        {"cosignKeyless": KEYLESS, "resolve": False},
        {"cosignKeyless": KEYLESS, "cosignKey": public_pem(P256)},
    ],
)
def test_rule_that_cannot_work_is_refused(text: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RegistryRule.model_validate(text)


def test_private_key_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match="private key; give the public one and make a new pair"):
        read_keys(private_pem(P256))


def test_several_keys_are_read() -> None:
    assert len(read_keys(f"{public_pem(P256)}\n{public_pem(ED25519)}")) == 2


@pytest.mark.parametrize("signature", [b"", b"x" * 64, b"x" * 72], ids=len)
def test_text_that_is_no_signature_is_none(signature: bytes) -> None:
    assert not is_signed(P256.public_key(), signature, b"data")
    assert not is_signed(ED25519.public_key(), signature, b"data")
