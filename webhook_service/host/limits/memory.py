"""BodyMemory: the memory that bodies may take together while they arrive."""

from __future__ import annotations

from webhook_service.errors import TooManyBodies

MIB = 1024 * 1024
# Of each body so much is free, so that large bodies never keep a common push out.
FREE = 64 * 1024
RETRY_AFTER = 5


class BodyMemory:
    """Counts the bytes of unfinished bodies beyond what is free. For the event loop alone.

    Args:
        size: bytes for all of them.
    """

    def __init__(self, size: int = 10 * MIB) -> None:
        self.left = size

    def take(self, size: int) -> None:
        """Take so many bytes.

        Raises:
            TooManyBodies: so many are not left.
        """
        if size > self.left:
            raise TooManyBodies("Too many large bodies arrive; send this one later.", RETRY_AFTER)
        self.left -= size

    def give_back(self, size: int) -> None:
        """Give back what was taken for a body that is read or refused."""
        self.left += size
