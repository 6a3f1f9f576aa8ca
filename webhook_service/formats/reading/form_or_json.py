"""JSON that a sender may wrap into a form; GitHub, Gitea and Forgejo have a setting for that.

Source: GitHub documentation, "Creating webhooks": with the content type
``application/x-www-form-urlencoded`` the JSON is the form's field ``payload``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webhook_service.errors import InvalidPayload
from webhook_service.formats.reading import forms
from webhook_service.formats.reading.strict_json import read_known

_FIELD = "payload"


def loads(body: bytes, headers: Mapping[str, str]) -> Any:
    """Read a JSON body, or the JSON in a form.

    Raises:
        InvalidPayload: it is neither, or the JSON is not strict.
    """
    if not _is_form(body, headers):
        return read_known(body)
    payload = forms.loads(body).get(_FIELD)
    if payload is None:
        raise InvalidPayload(f"The form has no field `{_FIELD}`.")
    return read_known(payload.encode())


def _is_form(body: bytes, headers: Mapping[str, str]) -> bool:
    """What starts as JSON is JSON, whatever its content type; no form starts like that."""
    if body.lstrip()[:1] in (b"{", b"["):
        return False
    return forms.media_type(headers) == forms.FORM or body.startswith(f"{_FIELD}=".encode())
