"""Signatures made by hand as cosign makes them, in the real registry.

There is no cosign here: the layouts are those of its SIGNATURE_SPEC.md and BUNDLE_SPEC.md.
"""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from tests.registry.conftest import Fake, MakeClient, event
from tests.registry.test_rule import public_pem
from tests.servers.canned import reply
from tests.servers.images import Image, build, push
from tests.servers.registry import Registry
from tests.servers.uploads import OCI_INDEX, OCI_MANIFEST, described, put_blob, put_manifest
from webhook_service.errors import DriverError, Retry
from webhook_service.model.rules.registry import RegistryRule
from webhook_service.registry.cosign import BUNDLE, IN_TOTO, MAX_SIGNATURES, SIMPLE_SIGNING
from webhook_service.registry.resolve import Resolver

KEYS: dict[str, Any] = {
    "ecdsa": ec.generate_private_key(ec.SECP256R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
    "rsa": rsa.generate_private_key(65537, 2048),
}
KEY, STRANGER = KEYS["ecdsa"], ec.generate_private_key(ec.SECP256R1())
SIGN = "https://sigstore.dev/cosign/sign/v1"
CONFIG = "application/vnd.oci.image.config.v1+json"
NAME = "acme/shop"
OTHER = f"sha256:{'1' * 64}"


@pytest.fixture
def address(registry: Registry) -> str:
    return registry.address


@pytest.fixture
def image(address: str, folder: Any) -> Image:
    image = build(folder)
    push(image, f"{address}/{NAME}:1.2.3")
    return image


@pytest.fixture
def resolver(client: MakeClient, address: str) -> Resolver:
    return Resolver(client(address))


def rule(*keys: Any) -> RegistryRule:
    return RegistryRule(cosign_key="".join(map(public_pem, keys)))


def refused(resolver: Resolver, address: str, *keys: Any) -> DriverError:
    with pytest.raises(DriverError) as caught:
        resolver.resolve(event(address), rule(*keys or (KEY,)))
    assert not isinstance(caught.value, Retry)
    return caught.value


def signed(key: Any, data: bytes) -> str:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        raw = key.sign(data, ec.ECDSA(hashes.SHA256()))
    elif isinstance(key, rsa.RSAPrivateKey):
        raw = key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    else:
        raw = key.sign(data)
    return base64.b64encode(raw).decode()


def payload(digest: str, kind: str = "cosign container image signature") -> bytes:
    critical = {
        "identity": {"docker-reference": "registry.example/acme/shop"},
        "image": {"docker-manifest-digest": digest},
        "type": kind,
    }
    return json.dumps({"critical": critical, "optional": None}).encode()


def sign(address: str, digest: str, *layers: tuple[bytes, str]) -> None:
    """Put signatures where cosign 2 puts them; a layer is what was signed, and the signature."""
    noted = [(claim, {"dev.cosignproject.cosign/signature": made}) for claim, made in layers]
    put_layers(address, digest, *noted)


def put_layers(address: str, digest: str, *layers: tuple[bytes, dict[str, str]]) -> None:
    """As ``sign``; a layer is what was signed, and its annotations."""
    parts = [
        put_blob(address, NAME, SIMPLE_SIGNING, claim) | {"annotations": notes}
        for claim, notes in layers
    ]
    content = {
        "mediaType": OCI_MANIFEST,
        "config": put_blob(address, NAME, CONFIG, b"{}"),
        "layers": parts,
    }
    put_manifest(address, NAME, f"{digest.replace(':', '-')}.sig", content)


def statement(digest: str, predicate: str = SIGN) -> bytes:
    said = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": digest.removeprefix("sha256:")}, "annotations": {}}],
        "predicateType": predicate,
        "predicate": {},
    }
    return json.dumps(said).encode()


def envelope(
    key: Any, digest: str, predicate: str = SIGN, payload_type: str = IN_TOTO
) -> dict[str, Any]:
    claim = statement(digest, predicate)
    data = f"DSSEv1 {len(payload_type)} {payload_type} {len(claim)} ".encode() + claim
    return {
        "payload": base64.b64encode(claim).decode(),
        "payloadType": payload_type,
        "signatures": [{"sig": signed(key, data)}],
    }


def attach(
    address: str, digest: str, *envelopes: Any, listed_as: str | None = BUNDLE, **notes: Any
) -> None:
    """Refer to the image with bundles as cosign 3 does, by the tag for registries of old."""
    made = [{"mediaType": BUNDLE, "dsseEnvelope": each} for each in envelopes]
    attach_bundles(address, digest, *made, listed_as=listed_as, **notes)


def attach_bundles(
    address: str, digest: str, *bundles: Any, listed_as: str | None = BUNDLE, **notes: Any
) -> None:
    manifests = []
    for number, each in enumerate(bundles):
        bundle = json.dumps(each).encode()
        content = {
            "mediaType": OCI_MANIFEST,
            "artifactType": BUNDLE,
            "config": put_blob(address, NAME, "application/vnd.oci.empty.v1+json", b"{}"),
            "layers": [put_blob(address, NAME, BUNDLE, bundle)],
            "subject": described(digest),
        }
        found = put_manifest(address, NAME, f"bundle-{number}", content)
        manifests.append(described(found, artifactType=listed_as) | notes)
    content = {"mediaType": OCI_INDEX, "manifests": manifests}
    put_manifest(address, NAME, digest.replace(":", "-"), content)


@pytest.mark.parametrize("kind", KEYS)
def test_signature_of_the_key_passes(
    resolver: Resolver, address: str, image: Image, kind: str
) -> None:
    claim = payload(image.digest)
    sign(address, image.digest, (claim, signed(KEYS[kind], claim)))
    assert resolver.resolve(event(address), rule(KEYS[kind])).digest == image.digest


@pytest.mark.parametrize("kind", KEYS)
def test_bundle_of_the_key_passes(
    resolver: Resolver, address: str, image: Image, kind: str
) -> None:
    attach(address, image.digest, envelope(KEYS[kind], image.digest))
    assert resolver.resolve(event(address), rule(KEYS[kind])).digest == image.digest


@pytest.mark.parametrize("listed_as", [None, "application/vnd.oci.empty.v1+json"])
def test_bundle_that_is_listed_by_its_config_is_found(
    resolver: Resolver, address: str, image: Image, listed_as: str | None
) -> None:
    attach(address, image.digest, envelope(KEY, image.digest), listed_as=listed_as)
    assert resolver.resolve(event(address), rule(KEY)).digest == image.digest


def test_any_of_several_keys_and_signatures_is_enough(
    resolver: Resolver, address: str, image: Image
) -> None:
    claim = payload(image.digest)
    foreign, own = (claim, signed(STRANGER, claim)), (claim, signed(KEY, claim))
    sign(address, image.digest, foreign, own)
    assert resolver.resolve(event(address), rule(KEYS["rsa"], KEY)).digest == image.digest


def test_index_is_signed_as_a_whole(resolver: Resolver, address: str, image: Image) -> None:
    part = described(image.digest, platform={"os": "linux", "architecture": "amd64"})
    digest = put_manifest(address, NAME, "2.0.0", {"mediaType": OCI_INDEX, "manifests": [part]})
    claim = payload(digest)
    sign(address, digest, (claim, signed(KEY, claim)))
    assert resolver.resolve(event(address, "2.0.0"), rule(KEY)).digest == digest


def test_image_without_a_signature_is_refused(
    resolver: Resolver, address: str, image: Image
) -> None:
    error = refused(resolver, address)
    assert error.reason == "signature_missing"
    assert error.message == (
        f"{address}/{NAME}@{image.digest} has no cosign signature; sign it after the push "
        "(cosign sign --key)."
    )


def flipped(signature: str) -> str:
    raw = bytearray(base64.b64decode(signature))
    raw[-1] ^= 1
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize(
    "case", ["stranger", "other image", "other type", "flipped", "no Base64", "empty", "no JSON"]
)
def test_signature_that_proves_nothing_is_refused(
    resolver: Resolver, address: str, image: Image, case: str
) -> None:
    claim = payload(image.digest)
    good = signed(KEY, claim)
    elsewhere, attestation = payload(OTHER), payload(image.digest, "atomic container signature")
    layer = {
        "stranger": (claim, signed(STRANGER, claim)),
        "other image": (elsewhere, signed(KEY, elsewhere)),
        "other type": (attestation, signed(KEY, attestation)),
        "flipped": (claim, flipped(good)),
        "no Base64": (claim, "ä" + good),
        "empty": (claim, ""),
        "no JSON": (b"hush", signed(KEY, b"hush")),
    }[case]
    sign(address, image.digest, layer)
    assert refused(resolver, address).reason == "signature_invalid"


def test_signature_moved_from_another_image_is_refused(
    resolver: Resolver, address: str, image: Image, tmp_path: Any
) -> None:
    other = build(tmp_path / "other")
    push(other, f"{address}/{NAME}:other")
    claim = payload(other.digest)
    sign(address, image.digest, (claim, signed(KEY, claim)))
    assert refused(resolver, address).reason == "signature_invalid"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda digest: envelope(STRANGER, digest), "signature_invalid"),
        (lambda digest: envelope(KEY, OTHER), "signature_invalid"),
        (lambda digest: envelope(KEY, digest, "https://spdx.dev/Document"), "signature_invalid"),
        (lambda digest: envelope(KEY, digest, SIGN, "text/plain"), "signature_invalid"),
        (lambda digest: envelope(KEY, digest) | {"signatures": []}, "signature_invalid"),
        (lambda digest: envelope(KEY, digest) | {"payload": 1}, "signature_invalid"),
        (lambda digest: envelope(KEY, digest) | {"payload": "e30="}, "signature_invalid"),
        (lambda digest: [], "signature_invalid"),
    ],
    ids=["stranger", "image", "attestation", "type", "none", "number", "payload", "list"],
)
def test_bundle_that_proves_nothing_is_refused(
    resolver: Resolver, address: str, image: Image, change: Any, reason: str
) -> None:
    attach(address, image.digest, change(image.digest))
    assert refused(resolver, address).reason == reason


def test_bundles_of_other_kinds_are_not_signatures(
    resolver: Resolver, address: str, image: Image
) -> None:
    good = envelope(KEY, image.digest)
    note = {"dev.sigstore.bundle.predicateType": "https://slsa.dev/provenance/v1"}
    attach(address, image.digest, good, annotations=note)
    assert refused(resolver, address).reason == "signature_missing"
    attach(address, image.digest, good, listed_as="application/spdx+json")
    assert refused(resolver, address).reason == "signature_missing"


def test_only_so_many_signatures_are_looked_at(
    resolver: Resolver, address: str, image: Image
) -> None:
    claim = payload(image.digest)
    foreign, own = (claim, signed(STRANGER, claim)), (claim, signed(KEY, claim))
    sign(address, image.digest, *[foreign] * (MAX_SIGNATURES - 1), own)
    assert resolver.resolve(event(address), rule(KEY)).digest == image.digest
    sign(address, image.digest, *[foreign] * MAX_SIGNATURES, own)
    assert refused(resolver, address).reason == "signature_invalid"


DIGEST = f"sha256:{'a' * 64}"
BASE = "/v2/acme/shop"
FOUND = reply(Docker_Content_Digest=DIGEST)


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b'{"layers": 1}',
        b'{"layers": [1, {}, null]}',
        json.dumps({"layers": [{"mediaType": "text/plain"}]}).encode(),
    ],
)
def test_manifest_without_signatures_counts_as_none(
    fake: Fake, client: MakeClient, content: bytes
) -> None:
    tag = DIGEST.replace(":", "-")
    routes = {
        f"HEAD {BASE}/manifests/1.2.3": FOUND,
        f"GET {BASE}/manifests/{tag}.sig": reply(body=content),
        f"GET {BASE}/manifests/{tag}": reply(body=b'{"manifests": [1, {}, {"digest": "x"}]}'),
    }
    address = f"127.0.0.1:{fake(routes).port}"
    assert refused(Resolver(client(address)), address).reason == "signature_missing"


@pytest.mark.parametrize(
    "layer",
    [
        {},
        {"digest": "../x"},
        {"digest": OTHER},
        {"digest": OTHER, "annotations": {"dev.cosignproject.cosign/signature": 1}},
        {"digest": OTHER, "annotations": []},
    ],
)
def test_signature_that_cannot_be_read_is_refused(
    fake: Fake, client: MakeClient, layer: dict[str, Any]
) -> None:
    content = json.dumps({"layers": [{"mediaType": SIMPLE_SIGNING} | layer]}).encode()
    routes = {
        f"HEAD {BASE}/manifests/1.2.3": FOUND,
        f"GET {BASE}/manifests/{DIGEST.replace(':', '-')}.sig": reply(body=content),
    }
    address = f"127.0.0.1:{fake(routes).port}"
    assert refused(Resolver(client(address)), address).reason == "signature_invalid"


def test_referrers_of_the_registry_are_preferred(fake: Fake, client: MakeClient) -> None:
    bundle = json.dumps({"dsseEnvelope": envelope(KEY, DIGEST)}).encode()
    kept = f"sha256:{hashes_of(bundle)}"
    manifest = json.dumps({"layers": [{"mediaType": BUNDLE, "digest": kept}]}).encode()
    listed = {"manifests": [{"artifactType": BUNDLE, "digest": f"sha256:{hashes_of(manifest)}"}]}
    routes = {
        f"HEAD {BASE}/manifests/1.2.3": FOUND,
        f"GET {BASE}/referrers/{DIGEST}": reply(
            body=json.dumps(listed).encode(), Content_Type=OCI_INDEX
        ),
        f"GET {BASE}/manifests/sha256:{hashes_of(manifest)}": reply(body=manifest),
        f"GET {BASE}/blobs/{kept}": reply(body=bundle),
    }
    address = f"127.0.0.1:{fake(routes).port}"
    assert Resolver(client(address)).resolve(event(address), rule(KEY)).digest == DIGEST


@pytest.mark.parametrize("status", ["400 Bad Request", "405 Method Not Allowed", "303 See Other"])
def test_registry_without_referrers_is_asked_for_the_tag(
    fake: Fake, client: MakeClient, status: str
) -> None:
    routes = {
        f"HEAD {BASE}/manifests/1.2.3": FOUND,
        f"GET {BASE}/referrers/{DIGEST}": reply(status, Location="https://other.example/"),
    }
    address = f"127.0.0.1:{fake(routes).port}"
    assert refused(Resolver(client(address)), address).reason == "signature_missing"


def hashes_of(data: bytes) -> str:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(data)
    return digest.finalize().hex()
