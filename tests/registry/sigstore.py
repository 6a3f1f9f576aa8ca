"""A Sigstore of the test's own: an authority like Fulcio, a certificate log, and a log like Rekor.

The layouts are those of RFC 6962 (SCT, Merkle tree), of Rekor's entries and of the bundle format.
Rekor 2 writes no time: with it a timestamp authority says when the signature was made.
"""

import base64
import json
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.registry.timestamps import TimestampAuthority

ISSUER = "https://issuer.example"
WORKFLOW = "https://forge.example/acme/shop/.ci/release.yml@refs/heads/main"
# Long ago, so that every certificate of a signer is out of date by now.
SIGNED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DAY = timedelta(days=1)
SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
ISSUER_OF_OLD = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
ISSUER_NOW = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def sign(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def canonical(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def log_id(key: ec.EllipticCurvePrivateKey) -> bytes:
    return sha256(spki(key)).digest()


class Authority:
    """A certificate authority that is valid for a day around ``SIGNED_AT``."""

    def __init__(self) -> None:
        self.key = new_key()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        usage = dict.fromkeys(
            (
                *("digital_signature", "content_commitment", "key_encipherment"),
                *("data_encipherment", "key_agreement", "encipher_only", "decipher_only"),
            ),
            False,
        )
        self.certificate = (
            x509.CertificateBuilder(name, name, self.key.public_key(), x509.random_serial_number())
            .not_valid_before(SIGNED_AT - DAY)
            .not_valid_after(SIGNED_AT + DAY)
            .add_extension(x509.BasicConstraints(True, None), critical=True)
            .add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False
            )
            .sign(self.key, hashes.SHA256())
        )


@dataclass(frozen=True)
class Sigstore:
    """Signs as cosign does without a key, and says what it does wrong by its fields.

    Attributes:
        stamped_at: when the timestamp authority saw the signature of a bundle; None if never.
        rekor: the major version of the log that has a bundle's signature.
    """

    authority: Authority = field(default_factory=Authority)
    certificate_log: ec.EllipticCurvePrivateKey | None = field(default_factory=new_key)
    log: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    identity: x509.GeneralName = x509.UniformResourceIdentifier(WORKFLOW)
    issuer: str = ISSUER
    issuer_of_old: bool = False
    logged_at: datetime = SIGNED_AT + timedelta(minutes=1)
    timestamps: TimestampAuthority = field(default_factory=TimestampAuthority)
    stamped_at: datetime | None = None
    rekor: int = 1

    @property
    def trusted_root(self) -> dict[str, Any]:
        assert self.certificate_log is not None
        valid = {"start": f"{SIGNED_AT - DAY:%Y-%m-%dT%H:%M:%SZ}"}
        logs = [
            {
                "baseUrl": "https://log.invalid",
                "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": b64(spki(key)),
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": valid,
                },
                "logId": {"keyId": b64(log_id(key))},
            }
            for key in (self.log, self.certificate_log)
        ]
        root = b64(self.authority.certificate.public_bytes(Encoding.DER))
        stampers = [{"rawBytes": b64(each)} for each in self.timestamps.chain]
        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": logs[:1],
            "ctlogs": logs[1:],
            "certificateAuthorities": [
                {
                    "subject": {"organization": "test", "commonName": "authority"},
                    "uri": "https://authority.invalid",
                    "certChain": {"certificates": [{"rawBytes": root}]},
                    "validFor": valid,
                }
            ],
            "timestampAuthorities": [
                {
                    "subject": {"organization": "test", "commonName": "root"},
                    "uri": "https://timestamps.invalid",
                    "certChain": {"certificates": stampers},
                    "validFor": valid,
                }
            ],
        }

    def certify(self, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        """A certificate for ten minutes, as Fulcio makes them."""
        der = b"\x0c" + bytes([len(self.issuer)]) + self.issuer.encode()
        said = (ISSUER_OF_OLD, self.issuer.encode()) if self.issuer_of_old else (ISSUER_NOW, der)
        usage = x509.KeyUsage(True, *[False] * 8)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.authority.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(SIGNED_AT)
            .not_valid_after(SIGNED_AT + timedelta(minutes=10))
            .add_extension(usage, critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.authority.key.public_key()),
                critical=False,
            )
            .add_extension(x509.SubjectAlternativeName([self.identity]), critical=True)
            .add_extension(x509.UnrecognizedExtension(*said), critical=False)
        )
        bare = builder.sign(self.authority.key, hashes.SHA256())
        if self.certificate_log is None:
            return bare
        stamps = self._stamps(self.certificate_log, bare.tbs_certificate_bytes)
        listed = x509.UnrecognizedExtension(SCT_LIST, stamps)
        return builder.add_extension(listed, critical=False).sign(
            self.authority.key, hashes.SHA256()
        )

    def _stamps(self, log: ec.EllipticCurvePrivateKey, entry: bytes) -> bytes:
        at = int(SIGNED_AT.timestamp() * 1000)
        entry = log_id(self.authority.key) + struct.pack("!I", len(entry))[1:] + entry
        signature = sign(log, struct.pack("!BBQH", 0, 0, at, 1) + entry + b"\0\0")
        stamp = b"\0" + log_id(log) + struct.pack("!QHBBH", at, 0, 4, 3, len(signature))
        stamp += signature
        listed = struct.pack("!HH", len(stamp) + 2, len(stamp)) + stamp
        assert len(listed) < 128
        return b"\x04" + bytes([len(listed)]) + listed

    def promise(self, body: bytes) -> tuple[dict[str, Any], str]:
        """What the log says of an entry at once, and its signature of that."""
        payload = {
            "body": b64(body),
            "integratedTime": int(self.logged_at.timestamp()),
            "logIndex": 0,
            "logID": log_id(self.log).hex(),
        }
        return payload, b64(sign(self.log, canonical(payload)))

    def proof(self, body: bytes) -> dict[str, Any]:
        """The proof that the entry is the first of the log's two."""
        sibling = sha256(b"\0other").digest()
        root = sha256(b"\1" + sha256(b"\0" + body).digest() + sibling).digest()
        note = f"log.invalid\n2\n{b64(root)}\n"
        signature = b64(log_id(self.log)[:4] + sign(self.log, note.encode()))
        return {
            "logIndex": "0",
            "treeSize": "2",
            "rootHash": b64(root),
            "hashes": [b64(sibling)],
            "checkpoint": {"envelope": f"{note}\n\u2014 log.invalid {signature}\n"},
        }

    def layer(self, claim: bytes) -> tuple[bytes, dict[str, str]]:
        """What is signed, and the annotations of cosign 2."""
        key = new_key()
        certificate, signature = self._pem(key), sign(key, claim)
        body = canonical(
            {
                "apiVersion": "0.0.1",
                "kind": "hashedrekord",
                "spec": {
                    "data": {"hash": {"algorithm": "sha256", "value": sha256(claim).hexdigest()}},
                    "signature": {
                        "content": b64(signature),
                        "publicKey": {"content": b64(certificate)},
                    },
                },
            }
        )
        payload, promise = self.promise(body)
        return claim, {
            "dev.cosignproject.cosign/signature": b64(signature),
            "dev.sigstore.cosign/certificate": certificate.decode(),
            "dev.sigstore.cosign/bundle": json.dumps(
                {"SignedEntryTimestamp": promise, "Payload": payload}
            ),
        }

    def bundle(self, claim: bytes, kind: str = "application/vnd.in-toto+json") -> dict[str, Any]:
        """The bundle of cosign 3 about an in-toto statement."""
        key = new_key()
        certificate = self._pem(key)
        signed = f"DSSEv1 {len(kind)} {kind} {len(claim)} ".encode() + claim
        signature = sign(key, signed)
        envelope = {
            "payload": b64(claim),
            "payloadType": kind,
            "signatures": [{"sig": b64(signature)}],
        }
        der = x509.load_pem_x509_certificate(certificate).public_bytes(Encoding.DER)
        if self.rekor == 2:
            entry = self._entry_without_time(signed, signature, der)
        else:
            entry = self._entry(claim, envelope, signature, certificate)
        material: dict[str, Any] = {"certificate": {"rawBytes": b64(der)}, "tlogEntries": [entry]}
        if self.stamped_at is not None:
            stamp = b64(self.timestamps.stamp(signature, self.stamped_at))
            material["timestampVerificationData"] = {
                "rfc3161Timestamps": [{"signedTimestamp": stamp}]
            }
        return {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": material,
            "dsseEnvelope": envelope,
        }

    def _entry(
        self, claim: bytes, envelope: dict[str, Any], signature: bytes, certificate: bytes
    ) -> dict[str, Any]:
        body = canonical(
            {
                "apiVersion": "0.0.1",
                "kind": "dsse",
                "spec": {
                    "envelopeHash": {
                        "algorithm": "sha256",
                        "value": sha256(canonical(envelope)).hexdigest(),
                    },
                    "payloadHash": {"algorithm": "sha256", "value": sha256(claim).hexdigest()},
                    "signatures": [{"signature": b64(signature), "verifier": b64(certificate)}],
                },
            }
        )
        payload, promise = self.promise(body)
        return {
            "logIndex": "0",
            "logId": {"keyId": b64(log_id(self.log))},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": str(payload["integratedTime"]),
            "inclusionPromise": {"signedEntryTimestamp": promise},
            "inclusionProof": self.proof(body),
            "canonicalizedBody": b64(body),
        }

    def _entry_without_time(self, signed: bytes, signature: bytes, der: bytes) -> dict[str, Any]:
        """Rekor 2 has neither a time nor a promise, and one kind of entry for all signatures."""
        verifier = {
            "keyDetails": "PKIX_ECDSA_P256_SHA_256",
            "x509Certificate": {"rawBytes": b64(der)},
        }
        entry = {
            "data": {"algorithm": "SHA2_256", "digest": b64(sha256(signed).digest())},
            "signature": {"content": b64(signature), "verifier": verifier},
        }
        spec = {"hashedRekordV002": entry}
        body = canonical({"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": spec})
        return {
            "logIndex": "0",
            "logId": {"keyId": b64(log_id(self.log))},
            "kindVersion": {"kind": "hashedrekord", "version": "0.0.2"},
            "inclusionProof": self.proof(body),
            "canonicalizedBody": b64(body),
        }

    def _pem(self, key: ec.EllipticCurvePrivateKey) -> bytes:
        return self.certify(key).public_bytes(Encoding.PEM)
