"""Words: what the console says of states and reasons, and what it says after a button."""

from __future__ import annotations

TONES = {
    "accepted": "ok",
    "duplicate": "none",
    "ignored": "none",
    "refused": "bad",
    "queued": "info",
    "running": "info",
    "waiting": "info",
    "retrying": "warn",
    "held": "warn",
    "succeeded": "ok",
    "unchanged": "none",
    "failed": "bad",
    "superseded": "none",
    "cancelled": "none",
    "active": "ok",
    "suspended": "warn",
    "live": "ok",
    "rolling": "info",
    "drifted": "warn",
    "unknown": "none",
    "rolled back": "none",
}
"""The colour of a state; its name always stands beside it."""

SAID = {
    "replayed": "It was pushed again: this is the new execution.",
    "cancelled": "The execution was cancelled before it changed anything.",
    "aborted": "The execution is being stopped; what ran before comes back.",
    "rolled_back": "The rollback has begun.",
    "approved": "Your approval was counted.",
    "refused": "The execution was refused, and has ended.",
    "released": "The execution was let through: it runs when its turn comes.",
    "pushed": "It was pushed. Below is what the receiver made of it.",
    "created": "The receiver was created.",
    "changed": "The change was stored.",
    "suspended": "The receiver is suspended: it ignores calls, and begins nothing.",
    "resumed": "The receiver is active.",
    "rotated": "The receiver has a new URL. The old one works for 24 more hours.",
    "deleted": "The receiver was deleted. Its history stays.",
    "inbox_created": "The inbox was made: here is its URL.",
    "inbox_rotated": "The inbox has a new URL. The old one works for 24 more hours.",
    "inbox_deleted": "The inbox was deleted, and its URL ended.",
    "revoked": "The token was revoked.",
    "tested": "A test is on its way. Load the page again to see what the target said.",
    "notification_saved": "The notification is stored.",
    "notification_deleted": "The notification was ended, and so was what it had not sent yet.",
    "sent_again": "The notice is sent once more.",
    "held_all": "Every receiver of the project is suspended.",
    "resumed_all": "Every receiver of the project is active.",
}
"""What the page after a button says, by a word in its URL."""

_REASONS = {
    "empty": "The call named no image.",
    "not_a_push": "It is no push: a pull, a delete, a ping or the like.",
    "not_an_image": "It is no image, such as a chart or a signature.",
    "untagged": "The push has no tag.",
    "malformed": "The item cannot be read.",
    "handshake": "The sender only wanted to know whether somebody answers.",
    "repository_mismatch": "The receiver's rules do not name this repository.",
    "tag_mismatch": "The tag is not one of those that the receiver's rules let pass.",
    "tag_excluded": "The receiver's rules exclude this tag.",
    "not_newer": "It is not newer than what runs.",
    "digest_missing": "The rules want a digest, and the call has none.",
    "filtered": "The receiver's filter does not let it pass.",
    "filter_error": "The receiver's filter has no answer for it.",
    "suspended": "The receiver was suspended.",
    "project_held": "The project is held.",
    "after": "It waits until another receiver has run the image well for long enough.",
    "frozen": "It waits for the end of a freeze window.",
    "duplicate": "It is the same push as another one.",
    "minimum_age": "Its image is not old enough yet.",
    "approval": "It waits for people's approval.",
    "refused": "Somebody refused it.",
    "approval_expired": "Nobody approved it in time.",
}


def sentence_of(reason: str | None) -> str:
    """What a reason means; the code itself if it is a plug-in's own."""
    return "" if reason is None else _REASONS.get(reason, reason)
