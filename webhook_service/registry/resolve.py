"""From a push to what is deployed: the digest at the registry, its platforms, its signature, and
what the image says of itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from webhook_service.driver import PushEvent
from webhook_service.formats.reading.fields import MAX_TEXT
from webhook_service.images import is_digest, is_tag
from webhook_service.model.public_keys import read_keys
from webhook_service.model.rules.registry import NEEDS_SIGSTORE, KeylessSigner, RegistryRule
from webhook_service.registry.client import Descriptor, Manifest, RegistryClient, Repository
from webhook_service.registry.cosign import Objection, check_signature, not_of
from webhook_service.registry.facts import read_facts
from webhook_service.registry.faults import (
    IMAGE_MISSING,
    SIGNATURE_UNCHECKED,
    refusal,
)
from webhook_service.registry.platforms import check_platforms

# What an image says of itself is good to know, and no reason to wait for long.
FACTS_SECONDS = 5.0


class Resolver:
    """Asks the registry of a push; shared by all threads.

    Args:
        trusted_root: a file of Sigstore's form (``trusted_root.json``) with the authorities and
            logs that keyless signatures are checked with.
    """

    def __init__(self, client: RegistryClient, trusted_root: Path | None = None) -> None:
        self._client = client
        self._trusted_root = trusted_root

    def resolve(self, event: PushEvent, rule: RegistryRule) -> PushEvent:
        """The event with the digest to deploy and its facts, after everything that the rule asks.

        The sender's own digest stays if the registry has it, for the tag may have moved on.

        Raises:
            DriverError: the image is missing, does not fit or is not signed (the reasons are
                in ``faults``), or the registry refuses.
            Retry: the registry cannot answer now.
        """
        if not rule.resolve:
            return event
        repository = self._client.repository(event.reference)
        found = _find(repository, event)
        if rule.platforms:
            check_platforms(repository, _manifest(repository, found), rule.platforms)
        if rule.cosign_key:
            objection = not_of(read_keys(rule.cosign_key))
            check_signature(repository, found.digest, objection, "cosign sign --key")
        if rule.cosign_keyless:
            objection = _not_of(rule.cosign_keyless, self._trusted_root)
            check_signature(repository, found.digest, objection, "cosign sign")
        media_type = found.media_type[:MAX_TEXT] or event.media_type
        facts = read_facts(self._client.repository(event.reference, FACTS_SECONDS), found.digest)
        return replace(event, digest=found.digest, media_type=media_type, facts=facts)


def _not_of(signer: KeylessSigner, trusted_root: Path | None) -> Objection:
    try:
        from webhook_service.registry.keyless import not_of_signer
    except ModuleNotFoundError as exc:
        raise refusal(SIGNATURE_UNCHECKED, NEEDS_SIGSTORE) from exc
    return not_of_signer(signer, trusted_root)


def _find(repository: Repository, event: PushEvent) -> Descriptor:
    for reference in (event.digest, event.tag):
        if reference and (is_digest(reference) or is_tag(reference)):
            if found := repository.head(reference):
                return found
    raise _missing(repository)


def _manifest(repository: Repository, found: Descriptor) -> Manifest:
    manifest = repository.manifest(found.digest)
    if manifest is None:
        raise _missing(repository)
    return manifest


def _missing(repository: Repository) -> Exception:
    return refusal(
        IMAGE_MISSING,
        f"{repository.image} does not exist at its registry; push it again, or check that the "
        "sender names the right registry.",
    )
