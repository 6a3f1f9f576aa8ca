"""The scheme ``none``: the URL is the only credential. Docker Hub leaves no other choice."""

from __future__ import annotations

from webhook_service.model.delivery import Call
from webhook_service.schemes.scheme import Proof, Scheme, SchemeOptions


class Unsigned(Scheme):
    """Lets every call pass. A receiver uses it only if it asks for it."""

    computes_only = True
    proof = Proof(
        algorithm="nothing: who knows the URL may call",
    )

    def check(self, call: Call, options: SchemeOptions) -> None:
        return None
