"""``webhook-service send``: try a receiver out with a push as its registry would send it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from webhook_service.cli.failures import fail
from webhook_service.cli.json_input import read_text
from webhook_service.cli.options import Output, OutputOption
from webhook_service.cli.output import print_json, print_record
from webhook_service.errors import fault_of

if TYPE_CHECKING:
    import httpx

TIMEOUT = 30.0
# Every other success says that the outcome is not known yet.
OK = 200


def send(
    url: Annotated[
        str,
        typer.Argument(
            parser=read_text,
            metavar="URL|@FILE|-",
            help="The receiver's URL; - reads it from stdin.",
        ),
    ],
    image: Annotated[str, typer.Option(help="What was pushed: acme/shop:1.2.3.")],
    format: Annotated[str, typer.Option(help="The format of the push.")] = "dockerhub",
    digest: Annotated[str | None, typer.Option(help="The pushed digest, sha256:….")] = None,
    wait: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Seconds to wait for the outcome; fail if an execution does not succeed by then.",
        ),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Send a sample push to a receiver's URL, and print the answer."""
    from webhook_service.testing.samples import sample_push

    if urlsplit(url).scheme not in ("http", "https"):
        raise typer.BadParameter("this is not an http:// or https:// URL.", param_hint="URL")
    # With the time of now every call is a new push; an equal one would count as a duplicate.
    now = datetime.now(UTC).replace(microsecond=0)
    body, headers = sample_push(format, image, digest, pushed_at=now)
    if wait is not None:
        headers = {**headers, "Prefer": f"wait={wait}"}
    answer = _post(url, body, headers, TIMEOUT + (wait or 0))
    _print(answer, output)
    if answer.status_code != OK:
        raise typer.Exit(1)


def _post(url: str, body: bytes, headers: dict[str, str], timeout: float) -> httpx.Response:
    import httpx

    try:
        return httpx.post(url, content=body, headers=headers, timeout=timeout)
    except (httpx.TransportError, httpx.InvalidURL) as exc:
        # The query holds the key.
        fail(f"{url.partition('?')[0]} does not answer: {fault_of(exc)}.")


def _print(answer: httpx.Response, output: Output) -> None:
    try:
        body: Any = answer.json()
    except ValueError:
        body = answer.text
    if output is Output.JSON:
        print_json({"status": answer.status_code, "body": body})
    else:
        fields = body if isinstance(body, dict) else {"body": body}
        print_record(output, {"http": f"{answer.status_code} {answer.reason_phrase}", **fields})
