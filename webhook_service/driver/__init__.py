"""The driver contract: all that the author of a driver has to read.

A driver is one module: a config class and a ``WebhookDriver`` subclass, registered as an entry
point of the group ``webhook_service.drivers``; its name is the name of the driver in receivers.
"""

from webhook_service.driver.config import DriverConfig, Secret, field_title
from webhook_service.driver.context import Context
from webhook_service.driver.contract import CONTRACT, Interruption, WebhookDriver
from webhook_service.driver.events import ImageFacts, PushEvent, Request, is_private_header
from webhook_service.driver.outcomes import (
    Done,
    GiveWay,
    Observed,
    Offer,
    Outcome,
    Plan,
    Unchanged,
    Wait,
)

__all__ = [
    "CONTRACT",
    "Context",
    "Done",
    "DriverConfig",
    "GiveWay",
    "ImageFacts",
    "Interruption",
    "Observed",
    "Offer",
    "Outcome",
    "Plan",
    "PushEvent",
    "Request",
    "Secret",
    "Unchanged",
    "Wait",
    "WebhookDriver",
    "field_title",
    "is_private_header",
]
