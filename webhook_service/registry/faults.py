"""Why an execution ends, or is tried again, at the registry."""

from __future__ import annotations

from webhook_service.errors import DriverError, OutboundError, Retry
from webhook_service.net.outbound import OutboundReply

IMAGE_MISSING = "image_missing"
PLATFORM_MISMATCH = "platform_mismatch"
SIGNATURE_MISSING = "signature_missing"
SIGNATURE_INVALID = "signature_invalid"
SIGNATURE_UNCHECKED = "signature_unchecked"
REGISTRY_DENIED = "registry_denied"
REGISTRY_FAILED = "registry_failed"
REGISTRY_UNAVAILABLE = "registry_unavailable"
MAX_PAUSE = 3600


def refusal(code: str, message: str) -> DriverError:
    """A final refusal; the message ends with what to do about it."""
    return DriverError(message, code=code)


def unavailable(message: str, after: float = 0.0) -> Retry:
    """A fault that passes."""
    return Retry(message, code=REGISTRY_UNAVAILABLE, after=after)


def from_outbound(exc: OutboundError) -> DriverError:
    """The fault of a call that got no reply."""
    return unavailable(exc.message) if exc.transient else refusal(REGISTRY_FAILED, exc.message)


def from_status(host: str, reply: OutboundReply) -> DriverError:
    """The fault of a reply that is neither a success nor a plain no."""
    if reply.status == 429:
        return unavailable(f"{host} limits the rate of calls.", _retry_after(reply))
    if reply.status >= 500 or reply.status == 408:
        return unavailable(f"{host} answered {reply.status}.", _retry_after(reply))
    return refusal(REGISTRY_FAILED, f"{host} answered {reply.status}; is it an OCI registry?")


def _retry_after(reply: OutboundReply) -> float:
    """Seconds; a date is not worth reading, the engine waits by itself."""
    text = reply.headers.get("retry-after", "")
    return min(int(text), MAX_PAUSE) if text.isascii() and text.isdigit() and len(text) < 10 else 0
