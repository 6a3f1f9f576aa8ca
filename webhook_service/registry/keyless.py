"""Checking signatures of signers without a key, with Sigstore's own library, offline.

What is verified (Sigstore's client specification, and the text of the signature itself):

- the certificate is of an authority of the trusted root, at the time that the transparency log or
  a timestamp authority vouches for, and is in a certificate log (SCT);
- it names the identity and the issuer of the receiver;
- the transparency log has the signature: by a proof of inclusion, or by the log's signed promise
  (SET) for signatures under the tag, with which cosign 2 keeps no proof;
- the certificate's key made the signature.

Nothing is asked but the image's registry: all keys are in the trusted root.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import (
    Certificate,
    ExtensionNotFound,
    ObjectIdentifier,
    OtherName,
    RFC822Name,
    SubjectAlternativeName,
    UniformResourceIdentifier,
    UnrecognizedExtension,
    load_der_x509_certificate,
    load_pem_x509_certificate,
)
from sigstore.errors import CertValidationError, VerificationError
from sigstore.errors import Error as SigstoreError
from sigstore.models import Bundle, InvalidBundle, TransparencyLogEntry, TrustedRoot
from sigstore.verify import Verifier
from sigstore_models.bundle import v1 as bundles
from sigstore_models.common import v1 as common
from sigstore_models.rekor import v1 as rekor

from webhook_service.expressions.regex import compile_regex
from webhook_service.model.public_keys import is_signed
from webhook_service.model.rules.registry import KeylessSigner
from webhook_service.registry.cosign import (
    IN_TOTO,
    Objection,
    Signature,
    base64_of,
    json_of,
    object_of,
    objects_of,
)
from webhook_service.registry.faults import SIGNATURE_UNCHECKED, refusal

# Annotations of a signature under the tag: cosign's SIGNATURE_SPEC.md.
CERTIFICATE = "dev.sigstore.cosign/certificate"
LOG_ENTRY = "dev.sigstore.cosign/bundle"
# The issuer in a certificate, as DER and, of old, as text: Fulcio's docs/oid-info.md.
ISSUER = ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
ISSUER_OF_OLD = ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
USER_NAME = ObjectIdentifier("1.3.6.1.4.1.57264.1.7")
MAX_SHOWN = 300

log = logging.getLogger(__name__)

_NO_KEYLESS = "one by a key and not by an identity: it has no certificate"
_NOT_LOGGED = "one without an entry of a transparency log"
_NO_TIME = "one whose time nothing in the trusted root vouches for"
_UNREADABLE = "one that cannot be read"


def not_of_signer(signer: KeylessSigner, trusted_root: Path | None) -> Objection:
    """Whether somebody else made a signature.

    Raises:
        DriverError: there is no trusted root, or it cannot be used.
    """
    verifier = _verifier(trusted_root)
    names = _identity_test(signer)

    def objection(signature: Signature) -> str | None:
        said = _lacks(signature)
        if said is not None:
            return said
        policy = _Policy(signer, names)
        # The library has many errors for what strangers can push: those of its models, of
        # cryptography and its own. None of them may pass.
        try:
            bundle = _read(signature)
        except Exception as exc:
            return _unread(exc)
        try:
            _verify(verifier, signature, bundle, policy)
        except Exception as exc:
            return policy.objection or _reason(signature, bundle, policy, exc)
        return None if policy.passed else _UNREADABLE

    return objection


def _verifier(path: Path | None) -> Verifier:
    if path is None:
        raise refusal(
            SIGNATURE_UNCHECKED,
            "The signature cannot be checked, for there is no trusted root: an operator names "
            "Sigstore's trusted_root.json in WEBHOOK_SERVICE_SIGSTORE_TRUSTED_ROOT.",
        )
    try:
        return Verifier(trusted_root=TrustedRoot.from_file(str(path)))
    except OSError as exc:
        why = f"cannot be read: {exc.strerror}"
    except (SigstoreError, ValueError):
        why = "is no trusted root of Sigstore (trusted_root.json) with authorities and logs"
    raise refusal(
        SIGNATURE_UNCHECKED,
        f"The signature cannot be checked, for {path} {why}; an operator mounts the file anew.",
    )


def _unread(exc: Exception) -> str:
    """Its text may quote what strangers wrote, so the log has its kind alone."""
    log.info("A signature could not be read: %s", type(exc).__name__)
    return _UNREADABLE


def _identity_test(signer: KeylessSigner) -> Callable[[str], bool]:
    if signer.identity_regexp is None:
        return lambda name: name == signer.identity
    pattern = compile_regex(signer.identity_regexp, "sigstore").pattern
    return lambda name: pattern.fullmatch(name) is not None


class _Policy:
    """Who may have signed; the library asks after it has verified the certificate."""

    def __init__(self, signer: KeylessSigner, names: Callable[[str], bool]) -> None:
        self._signer = signer
        self._names = names
        self.objection: str | None = None
        self.passed = False

    def verify(self, cert: Certificate) -> None:
        issuer = _issuer(cert)
        identities = _identities(cert)
        wanted = self._signer.identity or f"one that fits {self._signer.identity_regexp}"
        if issuer != self._signer.issuer:
            self.objection = (
                f"one whose identity comes from the issuer {_shown(issuer)} and not from "
                f"{self._signer.issuer}"
            )
        elif not any(map(self._names, identities)):
            self.objection = f"one of {_shown(', '.join(identities))} and not of {wanted}"
        if self.objection is not None:
            raise VerificationError(self.objection)
        self.passed = True


def _issuer(cert: Certificate) -> str | None:
    for identifier in (ISSUER, ISSUER_OF_OLD):
        try:
            value = cert.extensions.get_extension_for_oid(identifier).value
        except ExtensionNotFound:
            continue
        if isinstance(value, UnrecognizedExtension):
            return (
                asn1.decode_der(str, value.value) if identifier == ISSUER else value.value.decode()
            )
    return None


def _identities(cert: Certificate) -> list[str]:
    names = cert.extensions.get_extension_for_class(SubjectAlternativeName).value
    others = [each for each in names.get_values_for_type(OtherName) if each.type_id == USER_NAME]
    return [
        *names.get_values_for_type(RFC822Name),
        *names.get_values_for_type(UniformResourceIdentifier),
        *(asn1.decode_der(str, each.value) for each in others),
    ]


def _shown(text: str | None) -> str:
    return text[:MAX_SHOWN] if text and text.isprintable() else "(nobody)"


def _lacks(signature: Signature) -> str | None:
    """What a signature does not have of what makes a keyless one."""
    if signature.bundle is None:
        certificate, logged = CERTIFICATE in signature.notes, LOG_ENTRY in signature.notes
        timed = logged
    else:
        material = object_of(json_of(signature.bundle), "verificationMaterial")
        certificate = bool({"certificate", "x509CertificateChain"} & material.keys())
        entries = list(objects_of(material, "tlogEntries"))
        logged = bool(entries)
        # The entries of Rekor 2 have no time of their own.
        timed = any(entry.get("integratedTime") for entry in entries)
        timed = timed or bool(material.get("timestampVerificationData"))
    if not certificate:
        return _NO_KEYLESS
    if not logged:
        return _NOT_LOGGED
    return None if timed else _NO_TIME


def _read(signature: Signature) -> Bundle:
    return Bundle.from_json(signature.bundle) if signature.bundle else _detached(signature)


def _verify(verifier: Verifier, signature: Signature, bundle: Bundle, policy: _Policy) -> None:
    if signature.bundle is None:
        verifier.verify_artifact(signature.data, bundle, policy)
        return
    # Two readers of one bundle must not see two claims.
    if verifier.verify_dsse(bundle, policy) != (IN_TOTO, signature.claim):
        raise VerificationError("another claim")


class _Promise(TransparencyLogEntry):
    """An entry of which there is the log's promise (SET) and no proof of inclusion."""

    def _validate(self) -> None:
        if not self._inner.inclusion_promise or not self._inner.integrated_time:
            raise InvalidBundle("no promise")

    def _verify(self, keyring: Any) -> None:
        self._verify_set(keyring)


class _Detached(Bundle):
    """A signature under the tag in the shape of a bundle."""

    def _verify(self) -> None:
        material = self._inner.verification_material
        if material.certificate is None:
            raise InvalidBundle("no certificate")
        self._signing_certificate = load_der_x509_certificate(material.certificate.raw_bytes)
        (entry,) = material.tlog_entries
        self._log_entry = _Promise(entry)


def _detached(signature: Signature) -> Bundle:
    certificate = load_pem_x509_certificate(signature.notes[CERTIFICATE].encode())
    return _Detached(
        bundles.Bundle(
            media_type=Bundle.BundleType.BUNDLE_0_3.value,
            verification_material=bundles.VerificationMaterial(
                certificate=common.X509Certificate(
                    raw_bytes=base64.b64encode(certificate.public_bytes(Encoding.DER))
                ),
                tlog_entries=[_entry(signature.notes[LOG_ENTRY])],
            ),
            message_signature=common.MessageSignature(signature=base64.b64encode(signature.value)),
        )
    )


def _entry(note: str) -> rekor.TransparencyLogEntry:
    """A log entry as cosign notes it; the library's model insists on a proof, which is not here."""
    found = json_of(note.encode())
    payload = object_of(found, "Payload")
    body = base64_of(payload["body"])
    kind = json.loads(body)
    values: Any = {
        "log_index": int(payload["logIndex"]),
        "log_id": common.LogId(key_id=base64.b64encode(bytes.fromhex(payload["logID"]))),
        "kind_version": rekor.KindVersion(kind=kind["kind"], version=kind["apiVersion"]),
        "integrated_time": int(payload["integratedTime"]),
        "inclusion_promise": rekor.InclusionPromise(
            signed_entry_timestamp=found["SignedEntryTimestamp"]
        ),
        "canonicalized_body": body,
    }
    return rekor.TransparencyLogEntry.model_construct(**values)


def _reason(signature: Signature, bundle: Bundle, policy: _Policy, exc: Exception) -> str:
    """Why the library refuses, in our words; it is refused in any case."""
    cert = bundle.signing_certificate
    if policy.passed:
        key: Any = cert.public_key()
        try:
            signed = is_signed(key, signature.value, signature.data)
        except Exception as failure:
            _unread(failure)
            signed = False
        if not signed:
            return "one that its certificate's key did not make for this text"
        return (
            "one whose entry is of no transparency log of the trusted root, or of another signature"
        )
    if isinstance(exc, CertValidationError):
        since, until = cert.not_valid_before_utc, cert.not_valid_after_utc
        for said, at in _times(bundle):
            if not since <= at <= until:
                return (
                    f"one that {said} at {at:%Y-%m-%d %H:%M:%S} UTC, when its certificate was not "
                    f"valid (until {until:%Y-%m-%d %H:%M:%S} UTC)"
                )
        return "one whose certificate is of no authority of the trusted root"
    if "SCT" in str(exc):
        return "one whose certificate is in no certificate log of the trusted root"
    return _NO_TIME


def _times(bundle: Bundle) -> Iterator[tuple[str, datetime]]:
    """When a signature was made, by those who say so."""
    if seconds := bundle.log_entry._inner.integrated_time:
        yield "the transparency log took", datetime.fromtimestamp(seconds, UTC)
    stamps = bundle.verification_material.timestamp_verification_data
    for stamp in stamps.rfc3161_timestamps if stamps else ():
        yield "a timestamp authority saw", stamp.tst_info.gen_time
