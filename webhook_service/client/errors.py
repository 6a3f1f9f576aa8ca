"""What can go wrong between a client and the service."""

from __future__ import annotations

from webhook_service.errors import WebhookServiceError


class ClientError(WebhookServiceError):
    """Base of what the client raises."""

    code = "client_error"


class Unreachable(ClientError):
    """The service did not answer; of a change it is not known whether it was made."""

    code = "unreachable"


class UnreadableAnswer(ClientError):
    """Something answered, but not as this client's release of the service does."""

    code = "unreadable_answer"


class Rejected(ClientError):
    """The service refused the request; the message says why.

    Attributes:
        http_status: of the answer.
        reason: the service's code for programs, such as ``not_found``.
    """

    code = "rejected"

    def __init__(self, http_status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.reason = reason


class NotEnded(ClientError):
    """An execution did not end within the time to wait; it goes on."""

    code = "not_ended"
