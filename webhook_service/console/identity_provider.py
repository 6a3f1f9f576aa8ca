"""Logging in at an identity provider: OpenID Connect, authorization code with PKCE.

OpenID Connect Core 1.0, section 3.1, and RFC 7636. A browser that begins gets an attempt: random
values in a cookie. Only that browser can end it, and only with a token that was made for it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hmac import compare_digest
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from webhook_service.errors import IssuerUnavailable, OutboundError, RoleNotAllowed, Unauthenticated
from webhook_service.model.people.tokens import Role
from webhook_service.net.lazy import Lazy
from webhook_service.schemes.oidc import DISCOVERY, LEEWAY
from webhook_service.schemes.proving.key_cache import Shelf
from webhook_service.settings import ConsoleOidc
from webhook_service.telemetry.logs import sparing

if TYPE_CHECKING:
    from jwt import PyJWK

    from webhook_service.net.outbound import Outbound
    from webhook_service.schemes.proving.jwt import Claims, Keys

TIMEOUT, RETRY_AFTER = 5.0, 15
MAX_BYTES = 256 * 1024
MAX_ACTOR = 200
_STRONGEST = (Role.READONLY, Role.MEMBER, Role.OWNER)

log = sparing(__name__)


@dataclass(frozen=True, slots=True)
class BegunLogin:
    """One login that has begun; the cookie of the browser holds it.

    Attributes:
        state: comes back in the URL, and shows that this browser began.
        nonce: comes back in the token, and shows that the token was made for this login.
        verifier: shows the provider that whoever redeems the code is who began (PKCE).
        wanted: the page to go on to.
    """

    state: str
    nonce: str
    verifier: str
    wanted: str = ""

    @classmethod
    def new(cls, wanted: str) -> BegunLogin:
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(state, nonce, verifier, wanted)

    def as_cookie(self) -> str:
        wanted = base64.urlsafe_b64encode(self.wanted.encode()).decode().rstrip("=")
        return ".".join((self.state, self.nonce, self.verifier, wanted))

    @classmethod
    def from_cookie(cls, text: str) -> BegunLogin | None:
        """The attempt in a cookie; None if it holds none."""
        parts = text.split(".")
        if len(parts) != 4 or not all(parts[:3]):
            return None
        try:
            wanted = base64.urlsafe_b64decode(parts[3] + "=" * (-len(parts[3]) % 4)).decode()
        except (binascii.Error, ValueError):
            return None
        return cls(parts[0], parts[1], parts[2], wanted)

    @property
    def challenge(self) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom the provider has proven; see ``ConsoleSession``."""

    actor: str
    name: str
    grants: Mapping[str, Role]


@dataclass(frozen=True, slots=True)
class _Endpoints:
    authorize: str
    token: str
    keys: str


class IdentityProvider:
    """Sends browsers to a provider, and reads what they bring back. Every method blocks.

    Args:
        outbound: calls the provider.
        clock: gives the present time, for checking tokens.

    Raises:
        SettingsError: the client's secret cannot be read.
    """

    def __init__(
        self,
        options: ConsoleOidc,
        outbound: Lazy[Outbound],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        _ = options.secret  # a service that cannot read it should not start
        self._options = options
        self._outbound = outbound
        self._clock = clock
        self._endpoints: Shelf[_Endpoints] = Shelf(options.issuer)
        self._keys: Shelf[Keys] = Shelf(options.issuer)

    @property
    def name(self) -> str:
        """How it is called on its button."""
        return self._options.name

    def where_to(self, attempt: BegunLogin, back: str) -> str:
        """The URL at the provider where a login begins.

        Args:
            back: the URL at which the browser comes back.

        Raises:
            IssuerUnavailable: the provider does not answer.
        """
        asked = {
            "response_type": "code",
            "client_id": self._options.client_id,
            "redirect_uri": back,
            "scope": " ".join(self._options.scopes),
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        url = self._known().authorize
        return f"{url}{'&' if '?' in url else '?'}{urlencode(asked)}"

    def person(self, attempt: BegunLogin | None, given: Mapping[str, str], back: str) -> Person:
        """Who came back, and what they may do here.

        Args:
            attempt: the one in the browser's cookie.
            given: the query with which it came.
            back: as for ``where_to``.

        Raises:
            Unauthenticated: this browser began no such login, or the provider proves nobody.
            RoleNotAllowed: it proves somebody who has no project here.
            IssuerUnavailable: the provider does not answer.
        """
        if attempt is None or not _same(given.get("state", ""), attempt.state):
            raise Unauthenticated(
                "This login was not begun here, or over ten minutes ago. Log in again."
            )
        if given.get("iss", self._options.issuer) != self._options.issuer:  # RFC 9207
            raise Unauthenticated("Another identity provider answered. Log in again.")
        if not given.get("code"):
            why = given.get("error", "")[:100] or "nothing"
            raise Unauthenticated(f"{self.name} let nobody in: it said {why}.")
        claims = self._claims(self._redeem(given["code"], attempt, back), attempt)
        return self._person(claims)

    def _redeem(self, code: str, attempt: BegunLogin, back: str) -> str:
        """The ID token for a code."""
        options = self._options
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "code_verifier": attempt.verifier,
        }
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "accept": "application/json",
        }
        if (secret := options.secret) is None:
            form["client_id"] = options.client_id
        else:  # RFC 6749, section 2.3.1
            pair = f"{quote(options.client_id, safe='')}:{quote(secret, safe='')}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        body = self._call("POST", self._known().token, headers, urlencode(form).encode())
        token = _object(body).get("id_token")
        if not isinstance(token, str):
            raise Unauthenticated(f"{self.name} gave no ID token. Log in again.")
        return token

    def _claims(self, token: str, attempt: BegunLogin) -> Claims:
        from webhook_service.schemes.proving.jwt import BadToken, check_times, issued_claims, key_id

        options = self._options
        try:
            kid = key_id(token)
            if (key := self._key(kid)) is None:
                raise BadToken("unknown key")
            claims = issued_claims(token, key, options.issuer, options.client_id)
            check_times(claims, self._clock(), LEEWAY)
            if not _same(str(claims.get("nonce", "")), attempt.nonce):
                raise BadToken("nonce")
            if claims.get("azp", options.client_id) != options.client_id:
                raise BadToken("authorized party")
        except BadToken as exc:
            log.info("console: an ID token of %s was refused: %s", options.issuer, exc)
            raise Unauthenticated(f"What {self.name} gave proves nobody. Log in again.") from None
        return claims

    def _person(self, claims: Claims) -> Person:
        email = claims.get("email") if claims.get("email_verified") is True else None
        names = (claims.get("name"), claims.get("preferred_username"), email, claims.get("sub"))
        name = next((text for text in names if isinstance(text, str) and text), "somebody")
        subject = claims.get("sub")
        if not isinstance(subject, str) or not subject:
            raise Unauthenticated(f"What {self.name} gave names nobody. Log in again.")
        known = email.casefold() if isinstance(email, str) and email else f"oidc:{subject}"
        grants = self._grants(claims.get(self._options.groups_claim))
        if not grants:
            raise RoleNotAllowed(
                f"{self.name} knows you as {name[:MAX_ACTOR]}, but none of your groups has a "
                "project here. Whoever runs this service grants one in "
                "WEBHOOK_SERVICE_CONSOLE_OIDC."
            )
        return Person(known[:MAX_ACTOR], name[:MAX_ACTOR], grants)

    def _grants(self, groups: object) -> dict[str, Role]:
        """The strongest role of all groups, by project."""
        named: Sequence[object] = [groups] if isinstance(groups, str) else []
        if isinstance(groups, list):
            named = groups
        found: dict[str, Role] = {}
        for group in named:
            given = self._options.grants.get(group, {}) if isinstance(group, str) else {}
            for project, text in given.items():
                role = Role(text)
                found[project] = max(found.get(project, role), role, key=_STRONGEST.index)
        return found

    def _known(self) -> _Endpoints:
        try:
            return self._endpoints.get("", self._discover)
        except IssuerUnavailable as exc:
            raise self._silent() from exc

    def _key(self, kid: str | None) -> PyJWK | None:
        """The key of a token; the provider may have changed its keys since they were read."""
        try:
            found = self._keys.get("", self._load).find(kid)
            return found or self._keys.renewed("", self._load).find(kid)
        except IssuerUnavailable as exc:
            raise self._silent() from exc

    def _silent(self) -> IssuerUnavailable:
        return IssuerUnavailable(
            f"{self.name} does not answer as it should. Try again, or log in with an API token.",
            RETRY_AFTER,
        )

    def _discover(self) -> _Endpoints:
        """OpenID Connect Discovery 1.0, section 4."""
        found = _object(self._get(self._options.issuer.rstrip("/") + DISCOVERY))
        if found.get("issuer") != self._options.issuer:
            raise ValueError("The discovery document is another issuer's.")
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        return _Endpoints(*(str(found[name]) for name in names))

    def _load(self) -> Keys:
        from webhook_service.schemes.proving.jwt import Keys

        return Keys(self._get(self._known().keys))

    def _get(self, url: str) -> bytes:
        return self._call("GET", url, {"accept": "application/json"})

    def _call(self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
        try:
            reply = self._outbound().request(
                method, url, headers, body, timeout=TIMEOUT, max_bytes=MAX_BYTES
            )
        except OutboundError as exc:
            log.warning("console: %s does not answer: %s", self._options.issuer, exc)
            raise self._silent() from exc
        if reply.status >= 500:
            raise self._silent()
        if reply.status != 200:
            log.warning("console: %s answers %d", self._options.issuer, reply.status)
            raise Unauthenticated(f"{self.name} refused this login. Log in again.")
        return reply.body


def _same(given: str, wanted: str) -> bool:
    """Whether two texts are the same; as bytes, for only ASCII may be compared as text."""
    return compare_digest(given.encode("utf-8", "replace"), wanted.encode("utf-8", "replace"))


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}
