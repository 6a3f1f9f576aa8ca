"""A topic of Amazon SNS, and the certificates that sign its messages.

The certificate comes over TLS from the topic's own host, which is what vouches for it; SNS does
not serve the certificates above it. The names that its subject may have are those that AWS's
SDK for Java expects (``SnsHostProvider``): they differ by region.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import (
    BasicConstraints,
    Certificate,
    DNSName,
    ExtensionNotFound,
    SubjectAlternativeName,
    load_pem_x509_certificate,
)
from cryptography.x509.oid import NameOID

MIN_KEY_BITS = 2048
SUFFIXES = {
    "aws": "amazonaws.com",
    "aws-cn": "amazonaws.com.cn",
    "aws-us-gov": "amazonaws.com",
}
_ARN = re.compile(
    r"arn:(?P<partition>aws|aws-cn|aws-us-gov):sns:(?P<region>[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}):"
    r"[0-9]{12}:[A-Za-z0-9_-]{1,256}(?:\.fifo)?"
)


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic by its ARN, and what its region implies."""

    arn: str
    partition: str
    region: str

    @classmethod
    def parse(cls, arn: str) -> Topic:
        """Read an ARN.

        Raises:
            ValueError: it is no topic's.
        """
        found = _ARN.fullmatch(arn)
        if found is None:
            raise ValueError("must be a topic, such as arn:aws:sns:eu-west-1:123456789012:name")
        return cls(arn, found["partition"], found["region"])

    @property
    def host(self) -> str:
        """The one host that speaks for the topic."""
        return f"sns.{self.region}.{SUFFIXES[self.partition]}"

    @property
    def signers(self) -> frozenset[str]:
        """The names that a certificate for the topic's region may bear."""
        suffix = SUFFIXES[self.partition]
        names = {
            self.host,
            f"sns.{suffix}",
            f"sns-signing.{self.region}.{suffix}",
            f"sns-{self.region}.{suffix}",
        }
        if self.partition == "aws-us-gov":
            names.add("sns-us-gov-west-1.amazonaws.com")
        return frozenset(names)


def read_certificate(pem: bytes) -> Certificate:
    """Read a certificate, and all of it that is asked for later.

    Raises:
        ValueError: it has no name. Others: it cannot be read.
    """
    certificate = load_pem_x509_certificate(pem)
    if not (certificate.public_key() and _names(certificate)):
        raise ValueError("a certificate without a name")
    return certificate


def check_certificate(certificate: Certificate, topic: Topic, now: datetime) -> None:
    """Let a certificate pass that may sign the topic's messages now.

    Raises:
        ValueError: it may not.
    """
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise ValueError("a certificate before or after its time")
    if topic.signers.isdisjoint(_names(certificate)) or _is_authority(certificate):
        raise ValueError("a certificate of somebody else")
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey) or key.key_size < MIN_KEY_BITS:
        raise ValueError("a certificate with a weak key")


def _names(certificate: Certificate) -> set[str]:
    common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    names = {str(attribute.value) for attribute in common}
    try:
        found = certificate.extensions.get_extension_for_class(SubjectAlternativeName)
    except ExtensionNotFound:
        return names
    return names | set(found.value.get_values_for_type(DNSName))


def _is_authority(certificate: Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(BasicConstraints).value.ca
    except ExtensionNotFound:
        return False
