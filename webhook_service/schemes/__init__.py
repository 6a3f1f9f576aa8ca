"""The contract of schemes: how a call is proven genuine, or refused.

A scheme is one module with a ``Scheme`` subclass. Register it as an entry point of the group
``webhook_service.schemes``, or give it to ``service.schemes.add``. Receivers write its name in
``verify.scheme``. The author of a scheme needs only the names in this module.
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
