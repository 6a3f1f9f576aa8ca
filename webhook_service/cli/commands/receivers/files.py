"""``webhook-service receiver apply`` and ``export``: receivers as files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from webhook_service.cli.completion import receivers
from webhook_service.cli.connection.connect import Connection, connect
from webhook_service.cli.failures import ExitCode
from webhook_service.cli.json_input import read_pairs
from webhook_service.cli.options import Output, OutputOption, Project
from webhook_service.cli.output import print_document, print_json
from webhook_service.cli.tables import plain, printable

if TYPE_CHECKING:
    from webhook_service.cli.documents import PlacedDocument
    from webhook_service.resources import AppliedResource

# What one receiver alone is to blame for; all else would be so of the next one, too.
_OF_THE_DOCUMENT = (400, 422)
_LIMIT = 1000

Labels = Annotated[
    list[str] | None,
    typer.Option(
        "--label", "-l", metavar="NAME=VALUE", help="Only receivers with this label; repeatable."
    ),
]


@dataclass(frozen=True, slots=True)
class Planned:
    """A document, the body that it stands for, and what would become of it."""

    found: PlacedDocument
    body: Mapping[str, Any]
    kept: Sequence[str]
    would: AppliedResource


def apply(
    files: Annotated[
        list[str],
        typer.Option(
            "--filename",
            "-f",
            metavar="FILE|FOLDER|-",
            help="Documents in YAML or JSON; a folder stands for its .yaml, .yml and .json files. "
            "Repeatable.",
        ),
    ],
    project: Project = None,
    recursive: Annotated[
        bool, typer.Option("--recursive", "-R", help="Also look into the folders of a folder.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, say what would change, and stop.")
    ] = False,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune", help="Also delete receivers with all labels that no document is about."
        ),
    ] = False,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            "--label",
            "-l",
            metavar="NAME=VALUE",
            help="A label that every document must have; --prune goes by it. Repeatable.",
        ),
    ] = None,
    secrets: Annotated[
        Path | None,
        typer.Option(
            "--secrets",
            metavar="FOLDER",
            exists=True,
            file_okay=False,
            help="A folder with NAME/KEY for each secretRef with name and key; without it these "
            "secrets stay as they are stored.",
        ),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Let receivers be as files say: make, change or leave alone.

    Everything is checked first. If one document is wrong, nothing is changed.
    """
    from webhook_service.cli.documents import read_documents

    wanted = read_pairs(labels)
    if prune and not wanted:
        raise typer.BadParameter("needs --label: what it may delete.", param_hint="--prune")
    found, problems = read_documents(files, recursive)
    problems += _without_labels(found, wanted)
    if not problems and not found:
        problems = ["There is no document: nothing is applied, and nothing deleted."]
    _stop_at(problems)
    with connect(project) as opened:
        planned, problems = _plan(opened, _ordered(found), secrets)
        _stop_at(problems)
        gone = _unsaid(opened, wanted, {each.document.name for each in found}) if prune else {}
        rows = [_row(each, each.would) for each in planned]
        if not dry_run:
            rows = _carry_out(opened, planned)
        for name, id_ in gone.items():
            if not dry_run:
                opened.client.receivers.delete(id_)
            rows.append({"name": name, "result": "deleted", "changes": []})
    _print(output, rows, dry_run)
    _tell_kept(planned)


def export(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RECEIVER]...",
            help="Names of receivers; all if left out.",
            autocompletion=receivers,
        ),
    ] = None,
    project: Project = None,
    labels: Labels = None,
    output: OutputOption = Output.YAML,
) -> None:
    """Print receivers as the documents that 'receiver apply' takes.

    No secret is in them. 'receiver apply' finds them as they are, and changes nothing.
    """
    from webhook_service.cli.documents import write_documents
    from webhook_service.model.receiver_document import document_of

    wanted = read_pairs(labels)
    with connect(project) as opened:
        requests = opened.client.receivers
        shown = (
            [requests.get(opened.receiver_id(name)) for name in names]
            if names
            else sorted(requests.list(limit=_LIMIT), key=lambda each: each.name)
        )
    documents = [
        document_of(each.as_json()) for each in shown if wanted.items() <= each.labels.items()
    ]
    if output is Output.JSON:
        print_json({"apiVersion": "v1", "kind": "List", "items": documents})
    else:
        typer.echo(write_documents(documents), nl=False)


def _without_labels(found: Sequence[PlacedDocument], wanted: Mapping[str, str]) -> list[str]:
    return [
        f"{each}: metadata.labels: must have {name}: {value}, as --label says."
        for each in found
        for name, value in wanted.items()
        if each.document.labels.get(name) != value
    ]


def _ordered(found: Sequence[PlacedDocument]) -> list[PlacedDocument]:
    """Documents after those whose receivers they name in ``match.after``."""
    by_name = {each.document.name: each for each in found}
    before = {
        name: {first} & by_name.keys() for name, each in by_name.items() for first in [_first(each)]
    }
    try:
        return [by_name[name] for name in TopologicalSorter(before).static_order()]
    except CycleError as exc:
        circle = " after ".join(exc.args[1])
        _stop_at([f"match.after: these receivers wait for each other: {circle}."])
        raise


def _first(found: PlacedDocument) -> str:
    """The receiver that a document's ``match.after`` names; the service finds what is wrong."""
    value: Any = found.document.spec
    for name in ("match", "after", "receiver"):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) else ""


def _plan(
    opened: Connection, found: Sequence[PlacedDocument], secrets: Path | None
) -> tuple[list[Planned], list[str]]:
    """What would become of each document, and what is wrong with the others."""
    from webhook_service.errors import WebhookServiceError

    configs = {
        each.name: (each.config_schema or {}).get("properties", {})
        for each in opened.client.plugins.drivers()
    }
    names = {each.document.name for each in found}
    planned, problems = [], []
    for each in found:
        try:
            planned.append(_plan_one(opened, each, secrets, configs, names))
        except WebhookServiceError as exc:
            problems.append(f"{each} ({each.document.name}): {exc.message}")
            if getattr(exc, "http_status", exc.status) not in _OF_THE_DOCUMENT:
                break
    return planned, problems


def _plan_one(
    opened: Connection,
    found: PlacedDocument,
    secrets: Path | None,
    configs: Mapping[str, Mapping[str, Any]],
    names: set[str],
) -> Planned:
    from webhook_service.cli.documents import Secrets, folder_of
    from webhook_service.errors import InvalidConfig, WebhookServiceError
    from webhook_service.model.receiver import HIDDEN
    from webhook_service.model.receiver_document import hiding, refuse_plain_secrets, with_secrets

    document = found.document
    said = document.body(lambda driver: "namespace" in configs.get(driver, {}))
    source = Secrets(folder_of(found.file), secrets, [])
    body, texts = with_secrets(said, source.read)
    if document.labels:
        body["labels"] = document.labels
    first = _first(found)
    try:
        with hiding(texts):
            would = opened.client.receivers.apply(
                body, dry_run=True, alongside=first if first in names else None
            )
    except WebhookServiceError as exc:
        if source.kept and HIDDEN in exc.message:
            missing = exc.message.partition(":")[0]
            raise InvalidConfig(
                f"{missing}: no such secret is stored yet: give --secrets FOLDER, with the file "
                f"{' or '.join(source.kept)} in it."
            ) from exc
        raise
    refuse_plain_secrets(said, would.spec)
    return Planned(found, body, source.kept, would)


def _unsaid(opened: Connection, wanted: Mapping[str, str], names: set[str]) -> dict[str, str]:
    """The ids of receivers with the labels that no document is about, by name."""
    return {
        each.name: each.id
        for each in opened.client.receivers.list(limit=_LIMIT)
        if wanted.items() <= each.labels.items() and each.name not in names
    }


def _carry_out(opened: Connection, planned: Sequence[Planned]) -> list[dict[str, Any]]:
    """Apply each document to the version that it was planned for."""
    from webhook_service.errors import WebhookServiceError

    rows: list[dict[str, Any]] = []
    for each in planned:
        if each.would.result == "unchanged":
            rows.append(_row(each, each.would))
            continue
        try:
            done = opened.client.receivers.apply(each.body, version=each.would.version)
        except WebhookServiceError as exc:
            changed = [row["name"] for row in rows if row["result"] != "unchanged"]
            _stop_at(
                [
                    f"{each.found} ({each.would.name}): {exc.message}",
                    f"Applied before it: {', '.join(changed) or 'nothing'}. The rest is as it "
                    "was: run the command again.",
                ],
                "",
            )
        rows.append(_row(each, done))
    return rows


def _row(planned: Planned, applied: AppliedResource) -> dict[str, Any]:
    found = planned.found
    changes = [change.as_json() for change in applied.changes]
    row = {"name": applied.name, "result": applied.result, "changes": changes}
    where = {"file": found.file, "document": found.number}
    return {**row, **where, **({"warnings": applied.warnings} if applied.warnings else {})}


def _print(output: Output, rows: Sequence[Mapping[str, Any]], dry_run: bool) -> None:
    changed = [row for row in rows if row["result"] != "unchanged"]
    if output is Output.NAME:
        for row in changed:
            typer.echo(row["name"])
    elif not print_document(output, {"type": "collection", "data": list(rows)}):
        for row in rows:
            _print_row(row)
        typer.echo(_summary(rows, changed, dry_run))
    for row in rows:
        for warning in row.get("warnings", ()):
            typer.echo(f"Warning: {row['name']}: {warning}", err=True)


def _print_row(row: Mapping[str, Any]) -> None:
    from webhook_service.cli.documents import place

    where = f" ({place(row['file'], row['document'])})" if "file" in row else ""
    typer.echo(printable(f"{row['result']:<10} {row['name']}{where}"))
    if row["result"] == "changed":
        for each in row["changes"]:
            typer.echo(
                printable(
                    f"    {each['field']}: {_shown(each['before'])} -> {_shown(each['after'])}"
                )
            )


def _shown(value: Any) -> str:
    return "nothing" if value is None else plain(value)


def _summary(
    rows: Sequence[Mapping[str, Any]], changed: Sequence[Mapping[str, Any]], dry_run: bool
) -> str:
    if not changed:
        return f"Nothing to change: what is stored is what the {len(rows)} documents say."
    counts = [row["result"] for row in rows]
    said = ", ".join(
        f"{counts.count(result)} {result}"
        for result in ("created", "changed", "unchanged", "deleted")
        if result in counts
    )
    return f"This would be: {said}. Nothing is stored." if dry_run else f"{said}."


def _tell_kept(planned: Sequence[Planned]) -> None:
    kept = [f"{each.would.name} ({', '.join(each.kept)})" for each in planned if each.kept]
    if kept:
        typer.echo(
            f"These secrets stay as they are stored, as --secrets is not given: {', '.join(kept)}.",
            err=True,
        )


def _stop_at(problems: Sequence[str], nothing: str = "Nothing was applied.") -> None:
    """End the command if something is wrong: a line for each problem."""
    if not problems:
        return
    for problem in problems:
        typer.echo(printable(f"error: {problem}"), err=True)
    if nothing:
        typer.echo(nothing, err=True)
    raise typer.Exit(ExitCode.FAILED)
