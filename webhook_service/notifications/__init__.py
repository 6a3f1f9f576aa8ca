"""Notifications: how each kind of target is told of a notice.

A kind is one module: a config class and a ``NotificationKind`` subclass, registered as an entry
point of the group ``webhook_service.notifications``.
"""

from webhook_service.model.notice import Happened, Notice
from webhook_service.notifications.kind import NotificationKind, Sending
from webhook_service.notifications.mailer import Mailer

__all__ = ["Happened", "Mailer", "Notice", "NotificationKind", "Sending"]
