"""Request bodies: read once, whole, and never more than the limits allow."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import ClientDisconnect, Request

from webhook_service.errors import (
    BodyTooLarge,
    InvalidPayload,
    InvalidRequest,
    RequestTimedOut,
    UnsupportedBody,
)
from webhook_service.formats.reading.strict_json import read_json
from webhook_service.host.limits.memory import FREE, MIB, BodyMemory

NO_CONTENT_TYPE = "Content-Type must be supplied as header. Only application/json is supported"


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """What a body may take: bytes, seconds from the first to the last, and room beside others."""

    size: int = MIB
    seconds: float = 10.0
    room: BodyMemory = field(default_factory=BodyMemory)


async def read_body(request: Request, limits: BodyLimits) -> bytes:
    """The raw body.

    Raises:
        BodyTooLarge: more bytes than allowed; it is not read to its end.
        TooManyBodies: other large bodies are still arriving.
        RequestTimedOut: it did not arrive in time.
        UnsupportedBody: it is compressed.
        ClientDisconnect: the caller went away.
    """
    _check_headers(request, limits)
    try:
        async with asyncio.timeout(limits.seconds):
            return await _collect(request, limits)
    except TimeoutError:
        message = f"The body did not arrive within {limits.seconds:g} seconds."
        raise RequestTimedOut(message) from None


async def json_body(request: Request, limits: BodyLimits, *, optional: bool = False) -> Any:
    """A JSON body; with ``optional`` a missing one is an empty object.

    Raises:
        InvalidRequest: it is not declared as JSON, or not readable as such.
    """
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != "application/json" and not optional:
        raise InvalidRequest(NO_CONTENT_TYPE)
    body = await read_body(request, limits)
    if optional and not body:
        return {}
    if declared != "application/json":
        raise InvalidRequest(NO_CONTENT_TYPE)
    try:
        return read_json(body)
    except InvalidPayload as exc:
        raise InvalidRequest(f"Bad request body: {exc.message}") from exc


def _check_headers(request: Request, limits: BodyLimits) -> None:
    encodings = ",".join(request.headers.getlist("content-encoding")).lower().split(",")
    if any(encoding.strip() not in ("", "identity") for encoding in encodings):
        raise UnsupportedBody("Send the body without Content-Encoding.")
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > limits.size:
        raise _too_large(limits)


async def _collect(request: Request, limits: BodyLimits) -> bytes:
    chunks, size, held, more = [], 0, 0, True
    try:
        while more:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunk, more = message.get("body", b""), message.get("more_body", False)
            if not chunk:
                # A middleware may say nothing again and again: let the time limit end that.
                await asyncio.sleep(0)
                continue
            size += len(chunk)
            if size > limits.size:
                raise _too_large(limits)
            if size > FREE + held:
                limits.room.take(size - FREE - held)
                held = size - FREE
            chunks.append(chunk)
    finally:
        limits.room.give_back(held)
    return b"".join(chunks)


def _too_large(limits: BodyLimits) -> BodyTooLarge:
    return BodyTooLarge(f"The body may have at most {limits.size} bytes.")
