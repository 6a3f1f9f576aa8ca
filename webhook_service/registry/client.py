"""A client for reading from registries: manifests by tag or digest, and small blobs.

Source: OCI distribution specification 1.1, "Pull" and "Listing Referrers".
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from webhook_service.errors import InvalidPayload, OutboundError
from webhook_service.formats.reading.strict_json import read_json
from webhook_service.images import DOCKER_HUB, Image, is_digest, is_tag
from webhook_service.net.outbound import MAX_BYTES, TIMEOUT, Outbound, OutboundReply
from webhook_service.registry.credentials import DockerConfig, Login, Logins
from webhook_service.registry.faults import (
    REGISTRY_DENIED,
    REGISTRY_FAILED,
    from_outbound,
    from_status,
    refusal,
    unavailable,
)
from webhook_service.registry.login import Tokens
from webhook_service.registry.storage import keeps_blobs_at

BUDGET = 20.0
MAX_BLOB = 1024 * 1024
MAX_REDIRECTS = 3
TAGS_PER_PAGE, MAX_TAG_PAGES = 1000, 10
# Only the query is taken over, so that a registry cannot send a login elsewhere (RFC 8288).
_NEXT = re.compile(r'<[^>?]*\?([^>]*)>\s*;\s*rel="?next"?')
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
ACCEPT = ", ".join(
    (
        OCI_INDEX,
        OCI_MANIFEST,
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a tag or digest stands for."""

    digest: str
    media_type: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest or index whose content has the digest that it was asked for."""

    digest: str
    media_type: str
    content: Mapping[str, Any]


class RegistryClient:
    """Reads from all registries; shared by all threads.

    Args:
        logins: who to be at a registry; anonymous if nothing is known.
        insecure: registries (``host:port``) that are called without TLS; the outbound client
            has to allow their networks too.
        blob_hosts: patterns of hosts that registries may redirect blobs to, beyond those known.
    """

    def __init__(
        self,
        outbound: Outbound,
        logins: Logins | None = None,
        *,
        insecure: Collection[str] = (),
        blob_hosts: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.outbound = outbound
        self.logins: Logins = logins or DockerConfig()
        self.insecure = frozenset(insecure)
        self.blob_hosts = tuple(blob_hosts)
        self.tokens = Tokens(clock)

    def repository(self, image: Image, seconds: float = BUDGET) -> Repository:
        """One image's repository, to be read within so many seconds."""
        return Repository(self, image, seconds)

    def close(self) -> None:
        """Close the connections to registries."""
        self.outbound.close()


class Repository:
    """The reads of one repository for one push.

    All methods raise ``DriverError`` if the registry refuses or cannot be understood, and
    ``Retry`` if it may answer later; what does not exist is None.
    """

    def __init__(self, client: RegistryClient, image: Image, seconds: float) -> None:
        self.image = image
        self._client = client
        self._deadline = time.monotonic() + seconds
        self._plain = image.registry in client.insecure
        host = "registry-1.docker.io" if image.registry == DOCKER_HUB else image.registry
        self._base = f"{'http' if self._plain else 'https'}://{host}/v2/{image.repository}"

    def head(self, reference: str) -> Descriptor | None:
        """What a tag or digest stands for, without its content (which counts as a pull)."""
        reply = self._call("HEAD", f"/manifests/{reference}", ACCEPT)
        if reply.status == 404:
            return None
        digest = reply.headers.get("docker-content-digest", "")
        if reply.status != 200 or not is_digest(digest):
            found = self.manifest(reference)
            return Descriptor(found.digest, found.media_type) if found else None
        if is_digest(reference):
            self._check(digest == reference, "names another digest than it was asked for")
        return Descriptor(digest, _media_type(reply))

    def manifest(self, reference: str) -> Manifest | None:
        """A manifest or index by tag or digest."""
        reply = self._call("GET", f"/manifests/{reference}", ACCEPT)
        if reply.status == 404:
            return None
        self._expect_success(reply)
        named = reply.headers.get("docker-content-digest", "")
        digest = reference if is_digest(reference) else named if is_digest(named) else None
        digest = digest or digest_of(reply.body)
        self._check(matches(digest, reply.body), "sent content that does not have its digest")
        content = self._json(reply.body)
        return Manifest(digest, str(content.get("mediaType") or _media_type(reply)), content)

    def tags(self) -> list[str]:
        """The repository's tags in the registry's order, from at most ten pages.

        Raises:
            DriverError: there are more; also all that the other methods raise.
        """
        path = f"/tags/list?n={TAGS_PER_PAGE}"
        found: list[str] = []
        for _ in range(MAX_TAG_PAGES):
            reply = self._call("GET", path, "application/json")
            if reply.status == 404:
                return found
            self._expect_success(reply)
            tags = self._json(reply.body).get("tags") or []
            self._check(isinstance(tags, list), "sent tags that are no list")
            found += [tag for tag in tags if isinstance(tag, str) and is_tag(tag)]
            following = _NEXT.search(reply.headers.get("link", ""))
            if following is None:
                return found
            path = f"/tags/list?{following[1]}"
        raise refusal(
            REGISTRY_FAILED,
            f"{self.image.name} has more than {TAGS_PER_PAGE * MAX_TAG_PAGES} tags, which is more "
            "than is looked at: follow an exact tag.",
        )

    def blob(self, digest: str) -> bytes | None:
        """A small blob: an image's config, or what was signed."""
        path = f"/blobs/{digest}"
        reply = self._call("GET", path, "*/*", redirects=False, max_bytes=MAX_BLOB)
        url = f"{self._base}{path}"
        for _ in range(MAX_REDIRECTS):
            if reply.status not in (301, 302, 303, 307, 308):
                break
            url = self._join(url, reply.headers.get("location", ""))
            reply = self._elsewhere(url)
        if reply.status == 404:
            return None
        self._expect_success(reply)
        self._check(matches(digest, reply.body), "sent a blob that does not have its digest")
        return reply.body

    def referrers(self, digest: str) -> Mapping[str, Any] | None:
        """The index of what refers to a manifest, from the registry or from the fallback tag."""
        reply = self._call("GET", f"/referrers/{digest}", OCI_INDEX, redirects=False)
        if reply.status == 200 and _media_type(reply) == OCI_INDEX:
            return self._json(reply.body)
        found = self.manifest(digest.replace(":", "-"))
        return found.content if found else None

    def _call(self, method: str, path: str, accept: str, **limits: Any) -> OutboundReply:
        """Make a call, and answer the registry's challenge if there is one."""
        limits = {"redirects": True} | limits
        login = self._client.logins.find(self.image)
        known = self._client.tokens.known(self.image, login)
        url = f"{self._base}{path}"
        reply = self._send(method, url, _headers(accept, known), **limits)
        if reply.status == 401:
            header = reply.headers.get("www-authenticate", "")
            answer = self._client.tokens.answer(
                self.image, login, header, self._ask_for_token, self._plain
            )
            if answer is None:
                raise self._denied(login)
            reply = self._send(method, url, _headers(accept, answer), **limits)
        if reply.status in (401, 403):
            raise self._denied(login)
        if reply.status == 429 or reply.status >= 500:
            raise from_status(self.image.registry, reply)
        return reply

    def _ask_for_token(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> OutboundReply:
        return self._send(method, url, headers, body, redirects=False)

    def _elsewhere(self, url: str) -> OutboundReply:
        """Follow a blob's redirect to where the registry is known to keep blobs; credentials stay
        with the registry, and TLS does not end."""
        parts = urlsplit(url)
        host, same = parts.hostname or "", parts.netloc == urlsplit(self._base).netloc
        safe = parts.scheme == "https" or (self._plain and parts.scheme == "http")
        self._check(safe and bool(host), "redirects a blob to what is no https:// URL")
        if not same and not keeps_blobs_at(self.image.registry, host, self._client.blob_hosts):
            raise refusal(
                REGISTRY_FAILED,
                f"{self.image.registry} keeps its blobs at {host}, which is not asked: an operator "
                "can add that host to WEBHOOK_SERVICE_BLOB_HOSTS.",
            )
        known = self._client.tokens.known(self.image, self._client.logins.find(self.image))
        headers = _headers("*/*", known if same else None)
        return self._send("GET", url, headers, redirects=False, max_bytes=MAX_BLOB)

    def _join(self, url: str, location: str) -> str:
        try:
            return urljoin(url, location)
        except ValueError:
            raise refusal(
                REGISTRY_FAILED, f"{self.image.registry} redirects a blob to what is no URL."
            ) from None

    def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        redirects: bool,
        max_bytes: int = MAX_BYTES,
    ) -> OutboundReply:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise unavailable(f"{self.image.registry} answers too slowly.")
        try:
            return self._client.outbound.request(
                method,
                url,
                headers,
                body,
                redirects=redirects,
                timeout=min(TIMEOUT, left),
                max_bytes=max_bytes,
            )
        except OutboundError as exc:
            raise from_outbound(exc) from exc

    def _denied(self, login: Login | None) -> Exception:
        name, registry = self.image.name, self.image.registry
        if login:
            what = f"the login for {registry} in the Docker config may not read it"
        elif self._client.logins.helped(self.image):
            what = (
                f"the Docker config leaves {registry} to a credential helper, which is not run: "
                "give `auths` a user and password, or a token"
            )
        else:
            what = (
                f"no login for {registry} is known: name a Docker config with one in "
                "WEBHOOK_SERVICE_DOCKER_CONFIG"
            )
        return refusal(REGISTRY_DENIED, f"{name} is denied, or does not exist; {what}.")

    def _expect_success(self, reply: OutboundReply) -> None:
        if reply.status != 200:
            raise from_status(self.image.registry, reply)

    def _check(self, good: bool, message: str) -> None:
        if not good:
            raise refusal(REGISTRY_FAILED, f"{self.image.registry} {message}; check the registry.")

    def _json(self, body: bytes) -> Mapping[str, Any]:
        try:
            content = read_json(body)
        except InvalidPayload:
            content = None
        self._check(isinstance(content, dict), "sent a manifest that is no JSON object")
        found: Mapping[str, Any] = content
        return found


def digest_of(content: bytes) -> str:
    """The digest that registries give to content."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def matches(digest: str, content: bytes) -> bool:
    """Whether content has this digest, of whichever algorithm."""
    algorithm, _, value = digest.partition(":")
    return hashlib.new(algorithm, content).hexdigest() == value


def _headers(accept: str, authorization: str | None) -> Mapping[str, str]:
    return {"Accept": accept} | ({"Authorization": authorization} if authorization else {})


def _media_type(reply: OutboundReply) -> str:
    return reply.headers.get("content-type", "").partition(";")[0].strip().lower()
