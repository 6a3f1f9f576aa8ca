"""``webhook-service send``: try a receiver out with a push as its registry would send it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from webhook_service.cli.connection.connect import trusted
from webhook_service.cli.failures import fail
from webhook_service.cli.json_input import read_text
from webhook_service.cli.options import Output, OutputOption
from webhook_service.cli.output import print_document, print_record
from webhook_service.cli.progress import progress
from webhook_service.errors import fault_of
from webhook_service.net.urls import is_http_url

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
    image: Annotated[str, typer.Option(metavar="IMAGE", help="What was pushed: acme/shop:1.2.3.")],
    format: Annotated[
        str, typer.Option(metavar="FORMAT", help="The format of the push.")
    ] = "dockerhub",
    digest: Annotated[
        str | None, typer.Option(metavar="DIGEST", help="The pushed digest, sha256:….")
    ] = None,
    wait: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="SECONDS",
            help="Seconds to wait for the outcome; fail if nothing is deployed by then.",
        ),
    ] = None,
    allow_ignored: Annotated[
        bool,
        typer.Option(
            "--allow-ignored", help="With --wait: a push that the receiver ignores is no failure."
        ),
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Send a sample push to a receiver, and print the answer."""
    from webhook_service.testing.samples import sample_push

    if not is_http_url(url):
        raise typer.BadParameter("this is not an http:// or https:// URL.", param_hint="URL")
    # With the time of now every call is a new push; an equal one would count as a duplicate.
    now = datetime.now(UTC).replace(microsecond=0)
    body, headers = sample_push(format, image, digest, pushed_at=now)
    if wait is not None:
        headers = {**headers, "Prefer": f"wait={wait}"}
    try:
        with progress("waits for the outcome"):
            answer = _post(url, body, headers, TIMEOUT + (wait or 0))
    except KeyboardInterrupt:
        typer.echo("What was sent is not taken back: see 'execution list'.", err=True)
        raise
    _print(answer, output)
    if answer.status_code != OK:
        raise typer.Exit(1)
    if wait is not None and not allow_ignored:
        _require_deployed(answer)


def _require_deployed(answer: httpx.Response) -> None:
    """A build must not be green while its image runs nowhere."""
    try:
        said = answer.json()
    except ValueError:
        return
    if isinstance(said, dict) and said.get("state") == "ignored":
        reason = said.get("reason") or "no reason"
        fail(
            f"nothing was deployed: the receiver ignored the push ({reason}). If that is right, "
            "add --allow-ignored."
        )


def _post(url: str, body: bytes, headers: dict[str, str], timeout: float) -> httpx.Response:
    import httpx

    try:
        return httpx.post(url, content=body, headers=headers, timeout=timeout, verify=trusted())
    except (httpx.TransportError, httpx.InvalidURL) as exc:
        # The query holds the key.
        fail(f"{url.partition('?')[0]} does not answer: {fault_of(exc)}.")


def _print(answer: httpx.Response, output: Output) -> None:
    try:
        body: Any = answer.json()
    except ValueError:
        body = answer.text.strip()
    if not print_document(output, {"status": answer.status_code, "body": body}):
        fields = body if isinstance(body, dict) else {"body": body}
        print_record(output, {"http": f"{answer.status_code} {answer.reason_phrase}", **fields})
