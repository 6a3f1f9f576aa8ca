"""Links to vote: signed by the secret key, so that none of them is kept.

The signature covers what the notification is at that moment: its name, and where it sends to. So
the links that went to an old channel end when an owner changes that. What a link was used for is
the vote itself: one person's vote on one execution is one row (see ``store.history.approvals``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from webhook_service.model.people.ballot import VoteLink
from webhook_service.settings import Settings
from webhook_service.store.database.dialects import parse_url
from webhook_service.store.secrets.configured import configured_keys
from webhook_service.store.secrets.sealing import Sealer

MAX_LENGTH = 1600


def vote_links_of(settings: Settings) -> VoteLinks:
    """Those of a deployment, for who has no store; the secret key has to be there."""
    return VoteLinks(Sealer(configured_keys(settings, parse_url(settings.database_url))))


class VoteLinks:
    """Makes links to vote, and knows those that it made."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def make(self, link: VoteLink, voter: str, config: Mapping[str, Any]) -> str:
        """The text of a link.

        Args:
            voter: as whom those vote who are told together.
            config: the whole config that the notification's kind is given.
        """
        return f"{link}.{self._sealer.sign(_signed(str(link), voter, config))}"

    def read(self, text: str) -> tuple[VoteLink, str] | None:
        """What a text says, and its signature, which is not checked yet; None if it is no link."""
        body, _, signature = text.rpartition(".")
        link = VoteLink.read(body) if len(text) <= MAX_LENGTH and text.isascii() else None
        return None if link is None else (link, signature)

    def is_genuine(
        self, link: VoteLink, signature: str, voter: str, config: Mapping[str, Any]
    ) -> bool:
        """Whether a link was made here, for a notification that is still so."""
        return self._sealer.is_signed(_signed(str(link), voter, config), signature)


def _signed(link: str, voter: str, config: Mapping[str, Any]) -> str:
    return json.dumps(["vote", link, voter, dict(config)], sort_keys=True)
