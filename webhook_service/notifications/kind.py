"""The contract of a kind of notification: a notice in, a call to its target out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from webhook_service.driver import DriverConfig
from webhook_service.model.notice import Notice
from webhook_service.notifications.mailer import Mailer

if TYPE_CHECKING:
    from webhook_service.net.outbound import Outbound

ConfigT = TypeVar("ConfigT", bound=DriverConfig)


@dataclass(frozen=True, slots=True)
class Sending:
    """What a kind needs to send one notice.

    Attributes:
        id: of the notice; the same whenever it is sent again, so that receivers know copies.
        at: when it is sent.
        outbound: the way to other servers.
        mailer: the operator's mail server; None if there is none.
        link: where people see what the notice is about; empty if nobody can say.
        service: the address of this service, for senders' names; empty if it is not set.
        vote_link: gives the link by which somebody votes on a held push, named as a proxy or a
            login names them; for an empty name that of all who are told together. Empty if this
            notice asks for no votes.
    """

    id: str
    at: datetime
    outbound: Outbound
    mailer: Mailer | None = None
    link: str = ""
    service: str = ""
    vote_link: Callable[[str], str] = lambda voter: ""


class NotificationKind(ABC, Generic[ConfigT]):
    """One kind of target. An instance serves all notifications, from many threads."""

    contract: ClassVar[int] = 1
    Config: ClassVar[type[DriverConfig]] = DriverConfig
    shows_vote_link: ClassVar[bool] = False
    """Whether its messages bring the link to vote, to nobody but those who are told."""

    def wants(self, notice: Notice) -> str:
        """Why a notice is nothing for this kind; empty if it is. Default: it always is."""
        return ""

    @abstractmethod
    def send(self, config: ConfigT, notice: Notice, sending: Sending) -> str:
        """Send a notice; gives a sentence about what was done.

        Raises:
            Retry: the target cannot take it now.
            DriverError: the target will never take it; say what to change.
            OutboundError: it did not answer.
        """
