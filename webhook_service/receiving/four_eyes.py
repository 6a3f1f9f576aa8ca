"""Approvals bind the members of a project: only its owner may go around the rule of a receiver.

What changes the same target without the rule would be such a way: a second receiver, the approved
one pointed elsewhere, or deleted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import zip_longest
from typing import Any

from webhook_service.driver import Context, DriverConfig, PushEvent, Request, WebhookDriver
from webhook_service.errors import InvalidConfig, RoleNotAllowed, WebhookServiceError
from webhook_service.model.people.tokens import Role
from webhook_service.model.receiver import Receiver
from webhook_service.model.rules.approval import ApprovalRule
from webhook_service.plugins.boundary import guarded
from webhook_service.plugins.instances import Drivers
from webhook_service.store.endpoints.receivers import ReceiverStore, Target

_PUSH = PushEvent(registry="docker.io", repository="library/any", tag="any")
_REQUEST = Request(body=b"")


class FourEyes:
    """Refuses to those who are no owners what would go around an approval."""

    def __init__(self, receivers: ReceiverStore, drivers: Drivers) -> None:
        self._receivers = receivers
        self._drivers = drivers

    def require(self, role: Role, old: Receiver | None, new: Receiver | None) -> None:
        """Let a change of a receiver pass, from ``old`` to ``new``; None is none at all.

        Raises:
            RoleNotAllowed: it needs an owner.
        """
        if role is Role.OWNER:
            return
        if old is not None and old.spec.approval is not None:
            if new is None or new.spec.approval != old.spec.approval:
                raise _refused("change or remove the approval of", old.name)
            if self._places(target_of(new)) != self._places(target_of(old)):
                raise _refused("point elsewhere, while it has an approval,", old.name)
        if new is not None:
            self._refuse_way_around(new)

    def _refuse_way_around(self, receiver: Receiver) -> None:
        asked, places = _count(receiver.spec.approval), self._places(target_of(receiver))
        for other in self._receivers.approved_targets(receiver.project):
            if other.receiver == receiver.id or asked >= _count(other.approval):
                continue
            if overlap(places, self._places(other)):
                raise _refused("change the target, with fewer approvals, of", other.name)

    def _places(self, target: Target) -> Collection[str]:
        """What a receiver changes; of one that cannot be used now, nothing."""
        context = Context.without_execution(target.project, target.receiver, shared=False)
        try:
            driver = self._drivers.get(target.driver)
            with guarded(f"The driver {target.driver}", InvalidConfig):
                config = driver.Config.model_validate(dict(target.config))
                return driver.targets(config, context) or _slot(driver, config)
        except WebhookServiceError:
            return ()


def target_of(receiver: Receiver) -> Target:
    """What a receiver says it changes."""
    spec = receiver.spec
    return Target(receiver.project, receiver.id, spec.name, spec.driver, spec.config, spec.approval)


def overlap(some: Iterable[str], others: Collection[str]) -> bool:
    """Whether any of some targets may be one of the others; ``*`` stands for everything."""
    return any(_meet(one, other) for one in some for other in others)


def _slot(driver: WebhookDriver[Any, Any], config: DriverConfig) -> Collection[str]:
    """What a driver changes that does not name its targets: the slot of one and the same event."""
    slot = driver.slot(config, _REQUEST if driver.consumes is Request else _PUSH)
    return [f"slot {slot}"] if slot else []


def _meet(one: str, other: str) -> bool:
    pairs = zip_longest(one.split("/"), other.split("/"), fillvalue="")
    return all("*" in pair or pair[0] == pair[1] for pair in pairs)


def _count(rule: ApprovalRule | None) -> int:
    return 0 if rule is None else rule.count


def _refused(what: str, name: str) -> RoleNotAllowed:
    return RoleNotAllowed(
        f"user doesn't have the access to {what} webhook {name}: its project's owner can do it."
    )
