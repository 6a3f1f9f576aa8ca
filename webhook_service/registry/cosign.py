"""Finding an image's cosign signatures, and checking them with the receiver's keys.

Both of cosign's forms are read: the signature under the tag ``sha256-….sig`` (cosign's
SIGNATURE_SPEC.md, the default up to cosign 2) and the Sigstore bundle that refers to the image
(its BUNDLE_SPEC.md, the default since cosign 3). With keys, they alone count: transparency log
entries, timestamps and certificates are not looked at. Those are for ``keyless``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
MAX_OBJECTIONS = 3
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
SIMPLE_TYPE = "cosign container image signature"
SIGNATURE = "dev.cosignproject.cosign/signature"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
IN_TOTO = "application/vnd.in-toto+json"
SIGN_PREDICATE = "https://sigstore.dev/cosign/sign/v1"
_PREDICATE_NOTE = "dev.sigstore.bundle.predicateType"
# Some clients list a bundle by the type of its empty config.
_BUNDLE_LISTINGS = (BUNDLE, "application/vnd.oci.empty.v1+json", None)


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature as the registry has it.

    Attributes:
        data: what was signed.
        value: the signature itself.
        claim: the part of ``data`` that names the image.
        digest: that image, or something else where the claim names none.
        bundle: the Sigstore bundle that it came in; None for one under the tag.
        notes: the annotations of one under the tag.
    """

    data: bytes
    value: bytes
    claim: bytes
    digest: object
    bundle: bytes | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


# What speaks against a signature, after "but"; None if it is the right signer's.
Objection = Callable[[Signature], str | None]


def not_of(keys: Sequence[PublicKey]) -> Objection:
    """Whether one of the keys made a signature."""

    def objection(signature: Signature) -> str | None:
        if any(is_signed(key, signature.value, signature.data) for key in keys):
            return None
        return "not of the receiver's cosignKey"

    return objection


def check_signature(repository: Repository, digest: str, objection: Objection, how: str) -> None:
    """Refuse an image that the right signer has not signed.

    Args:
        how: the command that signs, for the message.

    Raises:
        DriverError: there is no signature, or none of the right signer for this digest.
    """
    objections = []
    signatures = chain(_tagged(repository, digest), _bundled(repository, digest))
    for each in islice(signatures, MAX_SIGNATURES):
        said = _objection(each, digest, objection)
        if said is None:
            return
        objections.append(said)
    name = repository.image.at(None, digest)
    if not objections:
        raise refusal(
            SIGNATURE_MISSING,
            f"{name} has no cosign signature; sign it after the push ({how}).",
        )
    all_said = ", or ".join(list(dict.fromkeys(objections))[:MAX_OBJECTIONS])
    raise refusal(
        SIGNATURE_INVALID,
        f"{name} has a cosign signature, but {all_said}; do not run it unless you know who "
        "signed it.",
    )


def _objection(signature: Signature | None, digest: str, objection: Objection) -> str | None:
    if signature is None:
        return "one that cannot be read"
    return objection(signature) or (
        None if signature.digest == digest else "one that is about another image"
    )


def _tagged(repository: Repository, digest: str) -> Iterator[Signature | None]:
    manifest = repository.manifest(f"{digest.replace(':', '-')}.sig")
    for layer in objects_of(manifest.content if manifest else {}, "layers"):
        if layer.get("mediaType") != SIMPLE_SIGNING:
            continue
        payload = _blob(repository, layer)
        notes = object_of(layer, "annotations")
        value = notes.get(SIGNATURE)
        if payload is None or not isinstance(value, str):
            yield None
        else:
            named = _simple_digest(payload)
            yield Signature(payload, base64_of(value), payload, named, notes=notes)


def _bundled(repository: Repository, digest: str) -> Iterator[Signature | None]:
    for listed in objects_of(repository.referrers(digest) or {}, "manifests"):
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
        layers = objects_of(manifest.content if manifest else {}, "layers")
        for layer in islice(layers, 1):
            if layer.get("mediaType") == BUNDLE:
                yield _read_bundle(_blob(repository, layer))


def _read_bundle(blob: bytes | None) -> Signature | None:
    """The DSSE envelope of a bundle; what is signed is its pre-authentication encoding."""
    blob = blob or b""
    envelope = object_of(json_of(blob), "dsseEnvelope")
    payload, signatures = envelope.get("payload"), list(objects_of(envelope, "signatures"))
    signature = signatures[0].get("sig") if len(signatures) == 1 else None
    if not isinstance(payload, str) or not isinstance(signature, str):
        return None
    if envelope.get("payloadType") != IN_TOTO:
        return None
    claim = base64_of(payload)
    data = b"DSSEv1 %d %s %d %s" % (len(IN_TOTO), IN_TOTO.encode(), len(claim), claim)
    return Signature(data, base64_of(signature), claim, _bundle_digest(claim), blob)


def _simple_digest(claim: bytes) -> object:
    critical = object_of(json_of(claim), "critical")
    if critical.get("type") != SIMPLE_TYPE:
        return None
    return object_of(critical, "image").get("docker-manifest-digest")


def _bundle_digest(claim: bytes) -> object:
    """An attestation about the image (an SBOM, say) is no signature: its predicate differs."""
    statement = json_of(claim)
    subjects = list(objects_of(statement, "subject"))
    if statement.get("predicateType") != SIGN_PREDICATE or len(subjects) != 1:
        return None
    return f"sha256:{object_of(subjects[0], 'digest').get('sha256')}"


def _blob(repository: Repository, layer: Mapping[str, Any]) -> bytes | None:
    digest = layer.get("digest")
    return repository.blob(digest) if isinstance(digest, str) and is_digest(digest) else None


def json_of(text: bytes) -> Mapping[str, Any]:
    """The object that a JSON text is; empty if it is none."""
    try:
        value = read_json(text)
    except InvalidPayload:
        return {}
    return value if isinstance(value, dict) else {}


def object_of(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The object under a key; empty if there is none."""
    value = values.get(key)
    return value if isinstance(value, dict) else {}


def objects_of(values: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    """The objects in the list under a key."""
    value = values.get(key)
    return (
        (each for each in value if isinstance(each, dict)) if isinstance(value, list) else iter(())
    )


def base64_of(text: str) -> bytes:
    """What a text in Base64 stands for; empty if it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
