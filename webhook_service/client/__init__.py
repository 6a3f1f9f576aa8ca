"""The client of the management API, for synchronous and for asynchronous programs.

``with Client("https://hooks.example.com", token) as client: client.executions.wait(id)``
"""

from webhook_service.client.asynchronous.client import AsyncClient
from webhook_service.client.errors import (
    ClientError,
    NotEnded,
    Rejected,
    Unreachable,
    UnreadableAnswer,
)
from webhook_service.client.exchange import Retries, Sent
from webhook_service.client.synchronous.client import Client

__all__ = [
    "AsyncClient",
    "Client",
    "ClientError",
    "NotEnded",
    "Rejected",
    "Retries",
    "Sent",
    "UnreadableAnswer",
    "Unreachable",
]
