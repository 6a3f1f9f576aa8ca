"""The scheme ``oidc``: a bearer token of an OpenID Connect issuer, as Google Pub/Sub sends.

A valid signature only says that the issuer knows the caller. Every account of the issuer can get
one. So a receiver must name the audience and the caller (OpenID Connect Core 1.0, section
3.1.3.7).
"""

from __future__ import annotations

import ipaddress
import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, field_validator, model_validator

from webhook_service.errors import Unauthenticated
from webhook_service.model.delivery import Call
from webhook_service.schemes.proving.key_cache import Shelves, Ticks
from webhook_service.schemes.proving.signature import REFUSED, require
from webhook_service.schemes.scheme import Fetch, Proof, Scheme, SchemeOptions
from webhook_service.telemetry.logs import sparing

if TYPE_CHECKING:
    from jwt import PyJWK

    from webhook_service.schemes.proving.jwt import Claims, Keys

LEEWAY = 60.0
MAX_TOKEN = 16 * 1024
DISCOVERY = "/.well-known/openid-configuration"
# Google documents this address and serves its keys from another host than its issuer's.
WELL_KNOWN_KEYS = {"https://accounts.google.com": "https://www.googleapis.com/oauth2/v3/certs"}
# Anything else, such as two headers that became one, is no credential (RFC 6750, section 2.1).
_BEARER = re.compile(r"bearer ([\w-]+\.[\w-]+\.[\w-]+)", re.ASCII | re.IGNORECASE)

log = sparing(__name__)


class OidcOptions(SchemeOptions):
    """Who may call: the issuer, the audience of the token, and the account of the caller."""

    issuer: str = Field(max_length=512, description="The issuer's URL, as in the claim iss.")
    audience: str = Field(
        min_length=1, max_length=512, description="The claim aud; for Pub/Sub what you set there."
    )
    subject: str | None = Field(
        default=None, min_length=1, max_length=255, description="The claim sub of the caller."
    )
    email: str | None = Field(
        default=None,
        min_length=3,
        max_length=255,
        description="The verified claim email of the caller: with Google, the service account's.",
    )
    jwks_uri: str | None = Field(
        default=None,
        max_length=1024,
        description="Where the issuer's keys are, if it keeps them on another host.",
    )

    @field_validator("issuer", "jwks_uri")
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        if value is not None:
            _check_url(value)
        return value

    @field_validator("issuer")
    @classmethod
    def _check_issuer(cls, value: str) -> str:
        if "?" in value:
            raise ValueError("an issuer has no query")
        return value

    @model_validator(mode="after")
    def _check_caller(self) -> Self:
        if self.subject is None and self.email is None:
            raise ValueError(
                "verify.subject: name the one caller by subject, or by email with Google; "
                "without it every account of the issuer could call."
            )
        return self

    @property
    def keys_url(self) -> str | None:
        """The URL of the keys; None if the issuer's discovery document names it."""
        return self.jwks_uri or WELL_KNOWN_KEYS.get(self.issuer)


class Oidc(Scheme[OidcOptions]):
    """Verifies ``Authorization: Bearer`` with the keys that the issuer publishes.

    Args:
        fetch: GETs the issuer's documents.
        clock: gives the present time, for checking tokens.
        ticks: gives seconds that only grow, for the age of keys.
    """

    Options = OidcOptions
    proof = Proof(
        headers=("Authorization",),
        algorithm="a JWT of the issuer, by its published keys: audience, caller and times; it does "
        "not cover the body",
        replay="refused once the token has expired",
    )

    def __init__(
        self,
        fetch: Fetch,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        ticks: Ticks = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._shelves: Shelves[Keys] = Shelves(ticks)

    @classmethod
    def create(cls, fetch: Fetch) -> Self:
        """Make one instance; it keeps the keys of all issuers, for all receivers."""
        return cls(fetch)

    def check(self, call: Call, options: OidcOptions) -> None:
        from webhook_service.schemes.proving.jwt import BadToken, check_times, issued_claims, key_id

        token = _bearer(call.headers.get("authorization", ""))
        try:
            key = self._key(key_id(token), options)
            if key is None:
                raise BadToken("unknown key")
            claims = issued_claims(token, key, options.issuer, options.audience)
            check_times(claims, self._clock(), LEEWAY)
        except BadToken as exc:
            log.info("A bearer token was refused: %s", exc)
            raise Unauthenticated(REFUSED) from None
        _check_caller(claims, options)

    def _key(self, kid: str | None, options: OidcOptions) -> PyJWK | None:
        shelf = self._shelves.of(f"{options.issuer} {options.keys_url or ''}".strip())
        found = shelf.get("", lambda: self._load(options)).find(kid)
        if found is None:
            # The issuer may have changed its keys since.
            found = shelf.renewed("", lambda: self._load(options)).find(kid)
        return found

    def _load(self, options: OidcOptions) -> Keys:
        from webhook_service.schemes.proving.jwt import Keys

        return Keys(self._fetch(options.keys_url or self._discover(options.issuer)))

    def _discover(self, issuer: str) -> str:
        """The ``jwks_uri`` of OpenID Connect Discovery 1.0, section 4."""
        found = json.loads(self._fetch(issuer.rstrip("/") + DISCOVERY))
        if found["issuer"] != issuer:
            raise ValueError("The discovery document is another issuer's.")
        url = str(found["jwks_uri"])
        if _origin(urlsplit(url)) != _origin(urlsplit(issuer)):
            raise ValueError("The keys are on another host; name it in verify.jwksUri.")
        return url


def _bearer(value: str) -> str:
    found = _BEARER.fullmatch(value) if len(value) <= MAX_TOKEN else None
    if found is None:
        raise Unauthenticated(REFUSED)
    return found[1]


def _check_caller(claims: Claims, options: OidcOptions) -> None:
    verified = claims.get("email") if claims.get("email_verified") is True else None
    require(options.subject is None or claims.get("sub") == options.subject)
    require(options.email is None or verified == options.email)


def _check_url(value: str) -> None:
    try:
        url = urlsplit(value)
        secure = url.scheme == "https" or (url.scheme == "http" and _is_loopback(url.hostname))
        readable = bool(url.hostname) and url.port != 0
    except ValueError:
        secure = readable = False
    if not (secure and readable) or "@" in url.netloc or "#" in value or not _is_plain(value):
        raise ValueError("must be an https:// URL without credentials or fragment")


def _is_plain(value: str) -> bool:
    return value.isascii() and value.isprintable() and " " not in value


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port
