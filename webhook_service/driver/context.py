"""The context: where a call of a driver comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from webhook_service.images import Image, mirrored


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Where a call of a driver comes from. Tests use ``testing.sample_context``.

    Attributes:
        identity: names the push; a duplicate and a replay of it have the same.
        order_key: sorts pushes to one slot as text, the newest highest.
        named: whether the receiver names the pushed repository, registry included; if not, a
            driver may only touch what runs that repository already.
        attempt: counts from 1; ``state`` is what the last ``Wait`` carried.
        shared: whether other projects use the service too; a driver then touches only what the
            operator has granted to this one.
        mirrors: under which names targets pull what was pushed, by registry; see ``pulled_as``.
        rolls_back: the identity of a push that this execution undoes, at the wish of people; the
            driver remembers it on the target, so that the same push is not deployed again.
            ``by-hand`` where it undoes what no push had done.
        back_to: of a rollback whose targets do not all go back to the image of the event: the
            image of each one that is to change, by the target that ``observe`` names.
        wake: has ``execute`` called soon, before the time of a ``Wait`` is over. Call it when what
            the execution waits for may have changed, from any thread, also when the step is over;
            it returns at once. A wake-up can be lost, so keep ``Wait.after`` as the safety look.
            None where nobody can be woken: then wait by the clock alone.
    """

    project: str
    receiver: str
    delivery: str
    execution: str
    identity: str
    order_key: str
    named: bool
    attempt: int
    shared: bool
    state: Mapping[str, Any] = field(default_factory=dict)
    rolls_back: str = ""
    back_to: Mapping[str, str] = field(default_factory=dict)
    mirrors: Mapping[str, str] = field(default_factory=dict)
    wake: Callable[[], None] | None = field(default=None, repr=False, compare=False)

    def pulled_as(self, pushed: Image) -> tuple[str, ...]:
        """The names under which the receiver's targets pull a repository instead of its own.

        The first is the one to write; empty where they pull it from where it was pushed.
        """
        return mirrored(pushed, self.mirrors)

    @classmethod
    def without_execution(
        cls,
        project: str,
        receiver: str,
        *,
        shared: bool,
        identity: str = "",
        named: bool = False,
        mirrors: Mapping[str, str] | None = None,
    ) -> Self:
        """For ``validate`` and ``plan``: nothing was delivered, and nothing is executed."""
        return cls(
            project=project,
            receiver=receiver,
            delivery="",
            execution="",
            identity=identity,
            order_key="",
            named=named,
            attempt=0,
            shared=shared,
            mirrors=mirrors or {},
        )
