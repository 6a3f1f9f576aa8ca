"""The contract of schemes: how a call is proven genuine, or refused.

A scheme is one module: a ``Scheme`` subclass, registered as an entry point of the group
``webhook_service.schemes``, or given to ``service.schemes.add``; its name is what receivers
write in ``verify.scheme``. The names here are all that its author needs.
"""

from webhook_service.schemes.proving.signature import (
    HeaderName,
    SecretOptions,
    any_same,
    header_of,
    keys_of,
    require,
)
from webhook_service.schemes.scheme import Fetch, Others, Proof, Scheme, SchemeOptions, Secrets

__all__ = [
    # The contract
    "Fetch",
    "Others",
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
