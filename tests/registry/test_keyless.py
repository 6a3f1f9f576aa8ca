"""Keyless signatures of a Sigstore of the test's own, in the real registry, in both forms."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509

from tests.registry.conftest import MakeClient, event
from tests.registry.sigstore import (
    ISSUER,
    SIGNED_AT,
    WORKFLOW,
    Authority,
    Sigstore,
    b64,
    new_key,
)
from tests.registry.test_cosign import OTHER, attach_bundles, payload, put_layers, statement
from tests.registry.timestamps import TimestampAuthority
from tests.servers.images import Image, build, push
from tests.servers.registry import Registry
from webhook_service.errors import DriverError, Retry
from webhook_service.model.rules.registry import KeylessSigner, RegistryRule
from webhook_service.registry.cosign import Signature
from webhook_service.registry.keyless import not_of_signer
from webhook_service.registry.resolve import Resolver

FORMS = ["tag", "bundle"]
SIGSTORE = Sigstore()
MAIL = x509.RFC822Name("kim@example.com")

Change = Callable[[Any], Any]


@pytest.fixture(autouse=True)
def no_other_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library asks nobody: it would with requests."""

    def send(*_: Any, **__: Any) -> None:
        raise AssertionError("asked over the network")

    monkeypatch.setattr(requests.Session, "send", send)


@pytest.fixture
def address(registry: Registry) -> str:
    return registry.address


@pytest.fixture
def image(address: str, folder: Path) -> Image:
    image = build(folder)
    push(image, f"{address}/acme/shop:1.2.3")
    return image


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "trusted_root.json"
    path.write_text(json.dumps(SIGSTORE.trusted_root))
    return path


@pytest.fixture
def resolver(client: MakeClient, address: str, root: Path) -> Resolver:
    return Resolver(client(address), root)


def rule(**values: str) -> RegistryRule:
    signer = values or {"identity": WORKFLOW}
    return RegistryRule(cosign_keyless=KeylessSigner(**{"issuer": ISSUER} | signer))


def sign(
    address: str,
    form: str,
    digest: str,
    by: Sigstore = SIGSTORE,
    named: str | None = None,
    change: Change = lambda made: made,
) -> None:
    """Sign an image as cosign does in one of its forms, and push what ``change`` makes of it."""
    if form == "tag":
        put_layers(address, digest, change(by.layer(payload(named or digest))))
    else:
        attach_bundles(address, digest, change(by.bundle(statement(named or digest))))


def refused(resolver: Resolver, address: str, **values: str) -> str:
    with pytest.raises(DriverError) as caught:
        resolver.resolve(event(address), rule(**values))
    assert not isinstance(caught.value, Retry)
    assert caught.value.reason == "signature_invalid", caught.value.message
    return caught.value.message


@pytest.mark.parametrize("form", FORMS)
def test_signature_of_the_identity_passes(
    resolver: Resolver, address: str, image: Image, form: str
) -> None:
    sign(address, form, image.digest)
    assert resolver.resolve(event(address), rule()).digest == image.digest


@pytest.mark.parametrize(
    ("by", "signer"),
    [
        (SIGSTORE, {"identityRegexp": r"https://forge\.example/acme/.*@refs/heads/main"}),
        (replace(SIGSTORE, identity=MAIL), {"identity": "kim@example.com"}),
        (replace(SIGSTORE, issuer_of_old=True), {"identity": WORKFLOW}),
    ],
    ids=["pattern", "mail", "issuer of old"],
)
def test_each_way_to_name_a_signer_works(
    resolver: Resolver, address: str, image: Image, by: Sigstore, signer: dict[str, str]
) -> None:
    sign(address, "bundle", image.digest, by)
    assert resolver.resolve(event(address), rule(**signer)).digest == image.digest


def test_signature_of_another_signer_beside_the_right_one_does_no_harm(
    resolver: Resolver, address: str, image: Image
) -> None:
    claim = payload(image.digest)
    other = replace(SIGSTORE, identity=MAIL)
    put_layers(address, image.digest, other.layer(claim), SIGSTORE.layer(claim))
    assert resolver.resolve(event(address), rule()).digest == image.digest


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("signer", "said"),
    [
        ({"identity": "kim@example.com"}, f"one of {WORKFLOW} and not of kim@example.com"),
        # A pattern fits the whole identity, unlike that of cosign's own flag.
        ({"identityRegexp": "forge.example/acme"}, "not of one that fits forge.example/acme"),
        (
            {"identity": WORKFLOW, "issuer": "https://other.example"},
            f"identity comes from the issuer {ISSUER} and not from https://other.example",
        ),
    ],
    ids=["identity", "pattern", "issuer"],
)
def test_signer_that_is_not_the_receivers_is_refused(
    resolver: Resolver, address: str, image: Image, form: str, signer: dict[str, str], said: str
) -> None:
    sign(address, form, image.digest)
    assert said in refused(resolver, address, **signer)


LATE = replace(SIGSTORE, logged_at=SIGNED_AT + timedelta(minutes=11))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("by", "said"),
    [
        (replace(SIGSTORE, authority=Authority()), "is of no authority of the trusted root"),
        (LATE, "took at 2026-01-02 03:15:05 UTC, when its certificate was not valid (until 2026"),
        (replace(SIGSTORE, log=new_key()), "entry is of no transparency log of the trusted root"),
        (replace(SIGSTORE, certificate_log=new_key()), "is in no certificate log of the trusted"),
        (replace(SIGSTORE, certificate_log=None), "is in no certificate log of the trusted root"),
    ],
    ids=["authority", "expired", "log", "certificate log", "no certificate log"],
)
def test_signature_that_the_trusted_root_does_not_vouch_for_is_refused(
    resolver: Resolver, address: str, image: Image, form: str, by: Sigstore, said: str
) -> None:
    sign(address, form, image.digest, by)
    assert said in refused(resolver, address)


STAMPED_AT = SIGNED_AT + timedelta(minutes=2)


@pytest.mark.parametrize("rekor", [1, 2])
def test_a_timestamp_authority_vouches_for_the_time_of_a_signature(
    resolver: Resolver, address: str, image: Image, rekor: int
) -> None:
    by = replace(SIGSTORE, rekor=rekor, stamped_at=STAMPED_AT)
    sign(address, "bundle", image.digest, by)
    assert resolver.resolve(event(address), rule()).digest == image.digest


def _with_stamp_of_another_signature(made: dict[str, Any]) -> dict[str, Any]:
    stamp = b64(SIGSTORE.timestamps.stamp(b"another signature", STAMPED_AT))
    stamps = made["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
    stamps[0]["signedTimestamp"] = stamp
    return made


@pytest.mark.parametrize(
    ("by", "change", "said"),
    [
        ({"stamped_at": None}, None, "time nothing in the trusted root"),
        (
            {"stamped_at": SIGNED_AT + timedelta(minutes=11)},
            None,
            "a timestamp authority saw at 2026-01-02 03:15:05 UTC, when its certificate",
        ),
        ({"timestamps": TimestampAuthority()}, None, "time nothing in the trusted root"),
        ({}, _with_stamp_of_another_signature, "time nothing in the trusted root"),
        ({"log": new_key()}, None, "entry is of no transparency log of the trusted root"),
    ],
    ids=["no time", "expired", "authority", "another signature", "log"],
)
def test_a_time_for_which_nobody_of_the_trusted_root_vouches_is_refused(
    resolver: Resolver,
    address: str,
    image: Image,
    by: dict[str, Any],
    change: Change | None,
    said: str,
) -> None:
    signer = replace(SIGSTORE, **{"rekor": 2, "stamped_at": STAMPED_AT} | by)
    sign(address, "bundle", image.digest, signer, change=change or (lambda made: made))
    assert said in refused(resolver, address)


@pytest.mark.parametrize("form", FORMS)
def test_signature_of_another_image_is_refused(
    resolver: Resolver, address: str, image: Image, form: str
) -> None:
    sign(address, form, image.digest, named=OTHER)
    assert "but one that is about another image" in refused(resolver, address)


def of_another(part: str) -> Change:
    """Takes a part of a bundle from another bundle of the same signer and image."""

    def change(made: dict[str, Any]) -> dict[str, Any]:
        other = SIGSTORE.bundle(statement(OTHER))["verificationMaterial"]
        return made | {"verificationMaterial": made["verificationMaterial"] | {part: other[part]}}

    return change


def other_note(name: str, value: str | None = None) -> Change:
    """Takes an annotation from another signature, or leaves it out."""

    def change(made: tuple[bytes, dict[str, str]]) -> tuple[bytes, dict[str, str]]:
        key = f"dev.sigstore.cosign/{name}"
        notes = {kept: text for kept, text in made[1].items() if kept != key}
        other = SIGSTORE.layer(payload(OTHER))[1][key] if value == "other" else value
        return made[0], notes | ({} if other is None else {key: other})

    return change


def without(*path: str) -> Change:
    def change(made: dict[str, Any]) -> dict[str, Any]:
        found = made
        for each in path[:-1]:
            found = found[each][0] if isinstance(found[each], list) else found[each]
        del found[path[-1]]
        return made

    return change


MATERIAL = "verificationMaterial"
NOT_SIGNED = "one that its certificate's key did not make for this text"
FOREIGN_ENTRY = "of no transparency log of the trusted root, or of another signature"
NO_ENTRY = "one without an entry of a transparency log"
NO_CERTIFICATE = "one by a key and not by an identity: it has no certificate"
UNREADABLE = "one that cannot be read"


@pytest.mark.parametrize(
    ("form", "change", "said"),
    [
        ("tag", lambda made: (payload(OTHER), made[1]), NOT_SIGNED),
        ("tag", other_note("bundle"), NO_ENTRY),
        ("tag", other_note("bundle", "other"), FOREIGN_ENTRY),
        ("tag", other_note("bundle", "{}"), UNREADABLE),
        ("tag", other_note("certificate"), NO_CERTIFICATE),
        ("tag", other_note("certificate", "other"), NOT_SIGNED),
        ("tag", other_note("certificate", "hush"), UNREADABLE),
        ("bundle", of_another("tlogEntries"), FOREIGN_ENTRY),
        ("bundle", of_another("certificate"), NOT_SIGNED),
        ("bundle", without(MATERIAL, "tlogEntries"), NO_ENTRY),
        ("bundle", without(MATERIAL, "certificate"), NO_CERTIFICATE),
        ("bundle", without(MATERIAL, "tlogEntries", "inclusionProof"), UNREADABLE),
        ("bundle", without("mediaType"), UNREADABLE),
    ],
)
def test_changed_signature_is_refused(
    resolver: Resolver, address: str, image: Image, form: str, change: Change, said: str
) -> None:
    sign(address, form, image.digest, change=change)
    assert said in refused(resolver, address)


def forged(made: tuple[bytes, dict[str, str]]) -> tuple[bytes, dict[str, str]]:
    """Says another time than the log signed."""
    key = "dev.sigstore.cosign/bundle"
    note = json.loads(made[1][key])
    note["Payload"]["integratedTime"] += 1
    return made[0], made[1] | {key: json.dumps(note)}


def claims_another(made: dict[str, Any]) -> dict[str, Any]:
    envelope = made["dsseEnvelope"]
    claim = SIGSTORE.bundle(statement(OTHER))["dsseEnvelope"]["payload"]
    return made | {"dsseEnvelope": envelope | {"payload": claim}}


@pytest.mark.parametrize(
    ("form", "change", "said"),
    [("tag", forged, FOREIGN_ENTRY), ("bundle", claims_another, NOT_SIGNED)],
)
def test_what_is_not_covered_by_its_signature_is_refused(
    resolver: Resolver, address: str, image: Image, form: str, change: Change, said: str
) -> None:
    sign(address, form, image.digest, change=change)
    assert said in refused(resolver, address)


def test_only_the_claim_that_is_in_the_bundle_counts(root: Path) -> None:
    """The library reads a bundle by itself: two readers must not see two images."""
    bundle = json.dumps(SIGSTORE.bundle(statement(OTHER))).encode()
    objection = not_of_signer(KeylessSigner(identity=WORKFLOW, issuer=ISSUER), root)
    found = Signature(b"", b"", statement(OTHER), OTHER, bundle)
    assert objection(found) is None
    digest = OTHER.replace("1", "2")
    assert objection(replace(found, claim=statement(digest), digest=digest)) is not None


def test_image_without_a_signature_is_refused(
    resolver: Resolver, address: str, image: Image
) -> None:
    with pytest.raises(DriverError, match=r"sign it after the push \(cosign sign\)") as caught:
        resolver.resolve(event(address), rule())
    assert caught.value.reason == "signature_missing"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "trusted_root.json cannot be read: No such file or directory"),
        ("{}", "is no trusted root of Sigstore"),
        ("hush", "is no trusted root of Sigstore"),
        (json.dumps(SIGSTORE.trusted_root | {"tlogs": []}), "is no trusted root of Sigstore"),
    ],
)
def test_trusted_root_that_cannot_be_used_is_said(
    client: MakeClient, address: str, image: Image, tmp_path: Path, text: str | None, said: str
) -> None:
    path = tmp_path / "trusted_root.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DriverError, match=said) as caught:
        Resolver(client(address), path).resolve(event(address), rule())
    assert caught.value.reason == "signature_unchecked"


def test_without_a_trusted_root_the_setting_is_named(
    client: MakeClient, address: str, image: Image
) -> None:
    with pytest.raises(DriverError, match="WEBHOOK_SERVICE_SIGSTORE_TRUSTED_ROOT") as caught:
        Resolver(client(address)).resolve(event(address), rule())
    assert caught.value.reason == "signature_unchecked"


def test_without_the_extra_it_is_named(
    resolver: Resolver, address: str, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "webhook_service.registry.keyless", raising=False)
    monkeypatch.setitem(sys.modules, "sigstore.models", None)
    with pytest.raises(DriverError, match=r"pip install 'webhook-service\[sigstore\]'") as caught:
        resolver.resolve(event(address), rule())
    assert caught.value.reason == "signature_unchecked"
