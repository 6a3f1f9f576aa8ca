"""What the Kubernetes API's error answers mean for a delivery: the only place that decides it.

Status codes and their meaning:
https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from webhook_drivers.kubernetes.api.resources import Address
from webhook_service import DriverError, Retry

MAX_TEXT = 256
MAX_RETRY_AFTER = 3600.0
GRANT = (
    "bind the Role that `python -m webhook_drivers.kubernetes.manifests roles` prints to the "
    "account of webhook-service there."
)
QUOTA = "exceeded quota"
RAISE_QUOTA = "raise the quota, or make room in it"
ENDING = "being terminated"
# How webhooks, ValidatingAdmissionPolicies and Pod Security begin what they say.
POLICY = ("denied the request", "denied request", "violates PodSecurity", "admission webhook")
TRANSIENT = frozenset({401, 408, 410, 425, 429})


class Conflict(Retry):
    """The object changed since it was read: read it again and decide anew, now or later."""

    code = "conflict"


def failure(
    verb: str, address: Address, status: int, headers: Mapping[str, str], body: bytes
) -> DriverError:
    """The error to raise for an answer that is not a success."""
    said = _message(body) or f"status {status}"
    if status == 409:
        return Conflict(f"{address} changed at the same time: {said}")
    if status in TRANSIENT or status >= 500:
        text = f"The cluster could not {verb} {address} now ({status}): {said}"
        return Retry(text, after=_retry_after(headers))
    if status == 404:
        return DriverError(_not_found(address, said), code="not_found")
    if status == 403:
        return _forbidden(verb, address, said)
    if is_policy(said):
        return _by_policy(verb, address, said)
    text = f"The cluster refused to {verb} {address} ({status}): {said}"
    return DriverError(text, code="refused")


def is_policy(said: str) -> bool:
    """Whether admission refused, and not RBAC or the schema: webhooks choose any status."""
    return any(words in said for words in POLICY)


def denied(verb: str, address: Address) -> str:
    """The sentence for a right that is missing."""
    return f"Not allowed to {verb} {_object(address)}: {GRANT}"


def cut(text: object) -> str:
    """Upstream text as errors may carry it: one line, bounded."""
    return " ".join(str(text).split())[:MAX_TEXT]


def _not_found(address: Address, said: str) -> str:
    if "could not find the requested resource" in said:
        resource = address.resource
        return f"This cluster does not serve {resource.qualified} in version {resource.version}."
    return f"{_object(address)} was not found: create it, or correct the receiver's config."


def _forbidden(verb: str, address: Address, said: str) -> DriverError:
    if QUOTA in said:
        where = f"A quota of namespace {address.namespace}"
        text = f"{where} does not let us {verb} {address}: {RAISE_QUOTA}. The cluster says: {said}"
        return DriverError(text, code="quota_exceeded")
    if ENDING in said:
        text = (
            f"The namespace {address.namespace} is being deleted, and takes nothing new. To deploy "
            "there again, wait until it is gone, create it with its workload, and push again."
        )
        return DriverError(text, code="namespace_ending")
    # Admission plug-ins say "is forbidden" too, and only authorizers that somebody "cannot".
    if not is_policy(said) and (" cannot " in said or "is forbidden" not in said):
        text = f"{denied(verb, address)} The cluster says: {said}"
        return DriverError(text, code="forbidden")
    return _by_policy(verb, address, said)


def _by_policy(verb: str, address: Address, said: str) -> DriverError:
    text = f"A policy of the cluster does not let us {verb} {address}: {said}"
    return DriverError(text, code="policy_denied")


def _object(address: Address) -> str:
    return f'{address.resource.qualified} "{address.name}" in namespace {address.namespace}'


def _message(body: bytes) -> str:
    try:
        status: Any = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    return cut(status.get("message") or "") if isinstance(status, dict) else ""


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds to wait as the server said it, in either form of RFC 9110, section 10.2.3."""
    text = headers.get("Retry-After", "").strip()
    try:
        seconds = float(text) if text.isdigit() else _until(text)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def _until(text: str) -> float:
    when = parsedate_to_datetime(text)
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - datetime.now(
        UTC
    ).timestamp()
