"""URLs in the configs of notifications: what cannot be called is refused when it is saved."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from webhook_service.driver import Secret
from webhook_service.net.urls import is_http_url


def _is_url(value: str) -> str:
    if not is_http_url(value) or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("must be a URL such as https://host.example/path")
    if "@" in urlsplit(value).netloc:
        raise ValueError("must be a URL without a user and a password")
    return value


def _holds_url(value: SecretStr) -> SecretStr:
    _is_url(value.get_secret_value())
    return value


Url = Annotated[str, Field(max_length=1000), AfterValidator(_is_url)]
SecretUrl = Annotated[Secret, AfterValidator(_holds_url)]
"""A URL that is a credential itself, as those of chats are."""
