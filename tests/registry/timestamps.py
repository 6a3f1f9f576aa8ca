"""A timestamp authority of the test's own: answers of RFC 3161 in the CMS of RFC 5652, by hand."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

INTEGER, OCTETS, OID, TIME, SEQUENCE, SET, INNER = 0x02, 0x04, 0x06, 0x18, 0x30, 0x31, 0xA0
SINCE = datetime(2025, 1, 1, tzinfo=UTC)
SIGNED_DATA = "1.2.840.113549.1.7.2"
TST_INFO = "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE, MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
SHA256, ECDSA_SHA256 = "2.16.840.1.101.3.4.2.1", "1.2.840.10045.4.3.2"
POLICY = "1.2.3.4"


def der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    length = size.to_bytes((size.bit_length() + 7) // 8 or 1, "big")
    return bytes([tag]) + (length if size < 128 else bytes([0x80 | len(length)]) + length) + content


def number(value: int) -> bytes:
    return der(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    found = bytearray()
    for value in (40 * first + second, *rest):
        groups = [value >> shift & 0x7F for shift in range(28, -1, -7)]
        while len(groups) > 1 and not groups[0]:
            groups.pop(0)
        found += bytes([*(0x80 | group for group in groups[:-1]), groups[-1]])
    return der(OID, bytes(found))


class TimestampAuthority:
    """A root and the certificate that it gave to the one who stamps."""

    def __init__(self) -> None:
        root_key, self.key = (ec.generate_private_key(ec.SECP256R1()) for _ in "12")
        self.root = self._certificate("root", root_key.public_key(), "root", root_key)
        self.leaf = self._certificate("stamps", self.key.public_key(), "root", root_key)

    @property
    def chain(self) -> list[bytes]:
        return [each.public_bytes(Encoding.DER) for each in (self.leaf, self.root)]

    def stamp(self, data: bytes, at: datetime) -> bytes:
        """Says that the authority saw ``data`` at a time, in whole seconds."""
        algorithm = der(SEQUENCE, oid(SHA256))
        imprint = der(SEQUENCE, algorithm, der(OCTETS, sha256(data).digest()))
        time = der(TIME, f"{at:%Y%m%d%H%M%SZ}".encode())
        info = der(SEQUENCE, number(1), oid(POLICY), imprint, number(7), time)
        attributes = [
            der(SEQUENCE, oid(CONTENT_TYPE), der(SET, oid(TST_INFO))),
            der(SEQUENCE, oid(MESSAGE_DIGEST), der(SET, der(OCTETS, sha256(info).digest()))),
        ]
        signature = self.key.sign(der(SET, *attributes), ec.ECDSA(hashes.SHA256()))
        issuer = self.leaf.issuer.public_bytes()
        signer = der(
            SEQUENCE,
            number(1),
            der(SEQUENCE, issuer, number(self.leaf.serial_number)),
            algorithm,
            der(INNER, *attributes),
            der(SEQUENCE, oid(ECDSA_SHA256)),
            der(OCTETS, signature),
        )
        signed = der(
            SEQUENCE,
            number(3),
            der(SET, algorithm),
            der(SEQUENCE, oid(TST_INFO), der(INNER, der(OCTETS, info))),
            der(INNER, self.chain[0]),
            der(SET, signer),
        )
        token = der(SEQUENCE, oid(SIGNED_DATA), der(INNER, signed))
        return der(SEQUENCE, der(SEQUENCE, number(0)), token)

    def _certificate(
        self,
        name: str,
        key: ec.EllipticCurvePublicKey,
        issuer: str,
        issuer_key: ec.EllipticCurvePrivateKey,
    ) -> x509.Certificate:
        names = [
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (issuer, name)
        ]
        is_root = name == issuer
        builder = (
            x509.CertificateBuilder(*names, key, x509.random_serial_number())
            .not_valid_before(SINCE)
            .not_valid_after(SINCE + timedelta(days=3650))
            .add_extension(x509.BasicConstraints(is_root, None), critical=True)
        )
        if not is_root:
            usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
            builder = builder.add_extension(usage, critical=True)
        return builder.sign(issuer_key, hashes.SHA256())
