"""The driver ``copyImage``: copies each pushed image to another registry, with all its platforms.

skopeo does the work: https://github.com/containers/skopeo. The operator names the registries that
may be read and written in ``COPY_IMAGE_REGISTRIES``, and logs in to them as for skopeo.
"""

import asyncio
import hashlib
import os
from asyncio.subprocess import DEVNULL, PIPE, create_subprocess_exec
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from webhook_service import (
    Change,
    Context,
    Done,
    DriverConfig,
    DriverError,
    InvalidConfig,
    Outcome,
    PushEvent,
    Retry,
    Superseded,
    Unchanged,
    Wait,
    WebhookDriver,
)

REGISTRIES = "COPY_IMAGE_REGISTRIES"
# A copy that takes longer goes on between the steps, and holds no worker then.
PATIENCE = 3.0
LOOK_AGAIN = 3.0
ABSENT = ("manifest unknown", "name unknown", "not found")
REFUSED = ("unauthorized", "authentication required", "denied")


class CopyImageConfig(DriverConfig):
    """Where to."""

    to: str = Field(
        max_length=200,
        pattern=r"^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+$",
        description="The registry and repository that get the image, under the pushed tag.",
    )


class CopyImage(WebhookDriver[CopyImageConfig]):
    """Copies an image, and waits until the other registry has it under its tag."""

    Config = CopyImageConfig

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(options)
        self.copies: dict[str, Copy] = {}

    def validate(self, config: CopyImageConfig, context: Context) -> None:
        registry, _, path = config.to.partition("/")
        if registry not in _registries():
            raise InvalidConfig(f"The operator does not name {registry} in {REGISTRIES}.")
        if context.shared and not path.startswith(f"{context.project}/"):
            raise InvalidConfig(f"Let the repository begin with {context.project}/.")

    def slot(self, config: CopyImageConfig, event: PushEvent) -> str:
        return f"copyImage/{config.to}:{event.tag}"

    def targets(self, config: CopyImageConfig, context: Context) -> tuple[str, ...]:
        registry, _, path = config.to.partition("/")
        return (f"{registry}/images/repository/{path.replace('/', ':')}",)

    async def execute(self, config: CopyImageConfig, event: PushEvent, context: Context) -> Outcome:
        self._check(config, event, context)
        source, target = f"{event.registry}/{event.repository}", f"{config.to}:{event.tag}"
        newest = await digest_of(f"{source}:{event.tag}")
        if newest is None or newest != (event.digest or newest):
            raise Superseded(f"The tag {event.tag} names another image by now.")
        found = await digest_of(target)
        before = context.state["before"] if context.state else found
        if found == newest:
            change = Change(target, "digest", before, newest)
            return Done((change,)) if before != newest else Unchanged("The image is there.")
        if not await self._copied(f"{source}@{newest}", target):
            return Wait(LOOK_AGAIN, {"before": before}, f"skopeo copies to {target}.")
        return Wait(0.0, {"before": before}, f"skopeo has copied to {target}.")

    def _check(self, config: CopyImageConfig, event: PushEvent, context: Context) -> None:
        if event.tag is None:
            raise DriverError("A push without a tag has no name at the other registry.")
        try:
            self.validate(config, context)
        except InvalidConfig as refused:
            raise DriverError(refused.message) from refused
        if event.registry not in _registries():
            raise DriverError(f"The operator does not name {event.registry} in {REGISTRIES}.")

    async def _copied(self, source: str, target: str) -> bool:
        """Whether a copy has ended by the end of this step; it is begun if need be."""
        copy = self.copies.get(target)
        if copy and copy.source != source:  # of an execution that was cancelled
            await copy.cancelled()
            copy = None
        copy = self.copies[target] = copy or Copy(source, target)
        done, _ = await asyncio.wait([copy.work], timeout=PATIENCE)
        if done:
            del self.copies[target]
            copy.work.result()
        return bool(done)

    async def close(self) -> None:
        for copy in self.copies.values():
            await copy.cancelled()


class Copy:
    """A copy that goes on between the steps of an execution."""

    def __init__(self, source: str, target: str) -> None:
        self.source = source
        words = ("copy", "--all", "--preserve-digests", "--quiet")
        self.work = asyncio.create_task(skopeo(*words, f"docker://{source}", f"docker://{target}"))

    async def cancelled(self) -> None:
        """End it, whatever it has come to."""
        self.work.cancel()
        await asyncio.wait([self.work])


async def digest_of(name: str) -> str | None:
    """The digest that a name has at its registry, or None where there is no such image."""
    try:
        manifest = await skopeo("inspect", "--raw", f"docker://{name}")
    except Failed as failed:
        if any(word in failed.message for word in ABSENT):
            return None
        raise
    return f"sha256:{hashlib.sha256(manifest).hexdigest()}"


class Failed(Retry):
    """skopeo did not do it; the message is what it said."""


async def skopeo(*words: str) -> bytes:
    """Run skopeo; gives what it prints."""
    try:
        process = await create_subprocess_exec(
            "skopeo", *words, stdin=DEVNULL, stdout=PIPE, stderr=PIPE
        )
    except OSError as exc:
        raise DriverError(f"skopeo cannot be run: {exc.strerror}.") from exc
    try:
        printed, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode == 0:
        return printed
    message = said.decode(errors="replace").strip()[-500:]
    if any(word in message for word in REFUSED):
        raise DriverError(message)
    raise Failed(message)


def _registries() -> set[str]:
    return set(os.environ.get(REGISTRIES, "").replace(",", " ").split())
