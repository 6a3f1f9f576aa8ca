"""The contract of schemes: how a call is proven genuine, or refused.

A scheme is one module: a ``Scheme`` subclass, registered as an entry point of the group
``webhook_service.schemes``, or given to ``WebhookService.add_scheme``; its name is what receivers
write in ``verify.scheme``. The names here are all that its author needs.
"""

from webhook_service.verify.scheme import Fetch, Proof, Scheme, SchemeOptions, Secrets
from webhook_service.verify.signature import (
    HeaderName,
    SecretOptions,
    any_same,
    header_of,
    keys_of,
    require,
)

__all__ = [
    # The contract
    "Fetch",
    "Proof",
    "Scheme",
    "SchemeOptions",
    # Options
    "HeaderName",
    "SecretOptions",
    "Secrets",
    # Comparing without telling how much was right
    "any_same",
    "header_of",
    "keys_of",
    "require",
]
