"""The scheme ``basic``: a user name and a password, as RFC 7617 writes them."""

from __future__ import annotations

import base64

from pydantic import Field

from webhook_service.model.delivery import Call
from webhook_service.schemes.proving.signature import any_same, header_of, keys_of, require
from webhook_service.schemes.scheme import Proof, Scheme, SchemeOptions, Secrets


class BasicOptions(SchemeOptions):
    """The user and the password; two passwords are possible while the sender changes them."""

    user: str = Field(max_length=255, pattern=r"^[^:\x00-\x1f\x7f]*$")
    password: Secrets


class Basic(Scheme[BasicOptions]):
    """A user name and a password in ``Authorization: Basic``."""

    Options = BasicOptions
    computes_only = True
    proof = Proof(
        headers=("Authorization",),
        algorithm="the user name and the password are equal",
    )

    def check(self, call: Call, options: BasicOptions) -> None:
        scheme, _, given = header_of(call, "authorization").partition(b" ")
        user = options.user.encode()
        expected = [
            base64.b64encode(user + b":" + password) for password in keys_of(options.password)
        ]
        genuine = any_same([given.strip()], expected)
        require(genuine and scheme.lower() == b"basic")
