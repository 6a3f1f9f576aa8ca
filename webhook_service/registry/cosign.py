"""Checking that an image was signed with cosign by one of the receiver's keys.

Both of cosign's forms are read: the signature under the tag ``sha256-….sig`` (cosign's
SIGNATURE_SPEC.md, the default up to cosign 2) and the Sigstore bundle that refers to the image
(its BUNDLE_SPEC.md, the default since cosign 3). What counts is the key alone: transparency log
entries, timestamps and certificates are not looked at, and keyless signatures are not supported.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from webhook_service.errors import InvalidPayload
from webhook_service.formats.reading.strict_json import read_json
from webhook_service.images import is_digest
from webhook_service.model.public_keys import PublicKey, is_signed
from webhook_service.registry.client import Repository
from webhook_service.registry.faults import SIGNATURE_INVALID, SIGNATURE_MISSING, refusal

# One signature is the rule; whoever may push could hang thousands on an image.
MAX_SIGNATURES = 16
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
SIMPLE_TYPE = "cosign container image signature"
SIGNATURE = "dev.cosignproject.cosign/signature"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
IN_TOTO = "application/vnd.in-toto+json"
SIGN_PREDICATE = "https://sigstore.dev/cosign/sign/v1"
_PREDICATE_NOTE = "dev.sigstore.bundle.predicateType"
# Some clients list a bundle by the type of its empty config.
_BUNDLE_LISTINGS = (BUNDLE, "application/vnd.oci.empty.v1+json", None)


def check_signature(repository: Repository, digest: str, keys: Sequence[PublicKey]) -> None:
    """Refuse an image that none of the keys has signed.

    Raises:
        DriverError: there is no signature, or none that is one of these keys' for this digest.
    """
    found = False
    signatures = chain(_tagged(repository, digest), _bundled(repository, digest))
    for good in islice(_checks(signatures, digest, keys), MAX_SIGNATURES):
        found = True
        if good:
            return
    name = repository.image.at(None, digest)
    if not found:
        raise refusal(
            SIGNATURE_MISSING,
            f"{name} has no cosign signature; sign it after the push (cosign sign --key).",
        )
    raise refusal(
        SIGNATURE_INVALID,
        f"{name} has a cosign signature, but not of the receiver's cosignKey; do not run it "
        "unless you know who signed it.",
    )


_Signed = tuple[bytes, str, bytes, bool]


def _checks(
    signatures: Iterator[_Signed | None], digest: str, keys: Sequence[PublicKey]
) -> Iterator[bool]:
    for each in signatures:
        if each is None:
            yield False
            continue
        data, signature, claim, bundled = each
        named = _bundle_digest(claim) if bundled else _simple_digest(claim)
        raw = _base64(signature)
        yield named == digest and any(is_signed(key, raw, data) for key in keys)


def _tagged(repository: Repository, digest: str) -> Iterator[_Signed | None]:
    manifest = repository.manifest(f"{digest.replace(':', '-')}.sig")
    for layer in _objects(manifest.content if manifest else {}, "layers"):
        if layer.get("mediaType") != SIMPLE_SIGNING:
            continue
        payload = _blob(repository, layer)
        notes = layer.get("annotations")
        signature = notes.get(SIGNATURE) if isinstance(notes, dict) else None
        if payload is None or not isinstance(signature, str):
            yield None
        else:
            yield payload, signature, payload, False


def _bundled(repository: Repository, digest: str) -> Iterator[_Signed | None]:
    for listed in _objects(repository.referrers(digest) or {}, "manifests"):
        notes = listed.get("annotations")
        predicate = notes.get(_PREDICATE_NOTE) if isinstance(notes, dict) else None
        if listed.get("artifactType") not in _BUNDLE_LISTINGS:
            continue
        if predicate not in (None, SIGN_PREDICATE):
            continue
        reference = listed.get("digest")
        if not isinstance(reference, str) or not is_digest(reference):
            continue
        manifest = repository.manifest(reference)
        layers = _objects(manifest.content if manifest else {}, "layers")
        for layer in islice(layers, 1):
            if layer.get("mediaType") == BUNDLE:
                yield _read_bundle(_blob(repository, layer))


def _read_bundle(blob: bytes | None) -> _Signed | None:
    """The DSSE envelope of a bundle; what is signed is its pre-authentication encoding."""
    envelope = _object(_json(blob or b""), "dsseEnvelope")
    payload, signatures = envelope.get("payload"), list(_objects(envelope, "signatures"))
    signature = signatures[0].get("sig") if len(signatures) == 1 else None
    if not isinstance(payload, str) or not isinstance(signature, str):
        return None
    if envelope.get("payloadType") != IN_TOTO:
        return None
    claim = _base64(payload)
    data = b"DSSEv1 %d %s %d %s" % (len(IN_TOTO), IN_TOTO.encode(), len(claim), claim)
    return data, signature, claim, True


def _simple_digest(claim: bytes) -> object:
    critical = _object(_json(claim), "critical")
    if critical.get("type") != SIMPLE_TYPE:
        return None
    return _object(critical, "image").get("docker-manifest-digest")


def _bundle_digest(claim: bytes) -> object:
    """An attestation about the image (an SBOM, say) is no signature: its predicate differs."""
    statement = _json(claim)
    subjects = list(_objects(statement, "subject"))
    if statement.get("predicateType") != SIGN_PREDICATE or len(subjects) != 1:
        return None
    return f"sha256:{_object(subjects[0], 'digest').get('sha256')}"


def _blob(repository: Repository, layer: Mapping[str, Any]) -> bytes | None:
    digest = layer.get("digest")
    return repository.blob(digest) if isinstance(digest, str) and is_digest(digest) else None


def _json(text: bytes) -> Mapping[str, Any]:
    try:
        value = read_json(text)
    except InvalidPayload:
        return {}
    return value if isinstance(value, dict) else {}


def _object(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = values.get(key)
    return value if isinstance(value, dict) else {}


def _objects(values: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    value = values.get(key)
    return (
        (each for each in value if isinstance(each, dict)) if isinstance(value, list) else iter(())
    )


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
