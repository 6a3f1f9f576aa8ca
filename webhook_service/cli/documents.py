"""Receivers in files: finding the documents, reading them, and fetching the secrets they name."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from webhook_service.errors import InvalidConfig
from webhook_service.model.receiver import HIDDEN
from webhook_service.model.receiver_document import ReceiverDocument, no_reference

STDIN = "-"
SUFFIXES = (".yaml", ".yml", ".json")
MAX_FILE = 4 * 1024 * 1024
MAX_DOCUMENT = 1024 * 1024
MAX_SECRET = 64 * 1024
MAX_DOCUMENTS = 10_000
_ITEMS = "List"
_NAME = re.compile(r"[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class PlacedDocument:
    """A document of a receiver, and where it stands."""

    file: str
    number: int
    document: ReceiverDocument

    def __str__(self) -> str:
        return place(self.file, self.number)


def read_documents(
    paths: Iterable[str], recursive: bool = False
) -> tuple[list[PlacedDocument], list[str]]:
    """The receivers in files and folders, and what is wrong with the other documents.

    Args:
        paths: of files and folders; ``-`` is stdin.
        recursive: whether folders in folders count, too.
    """
    found: list[PlacedDocument] = []
    problems: list[str] = []
    places: dict[str, PlacedDocument] = {}
    try:
        for file in _files(paths, recursive):
            for number, value in enumerate(_parsed(file), 1):
                try:
                    one = PlacedDocument(file, number, ReceiverDocument.read(_checked(value)))
                except InvalidConfig as exc:
                    problems.append(f"{place(file, number)}: {exc.message}")
                    continue
                first = places.setdefault(one.document.name, one)
                if first is not one:
                    problems.append(f"{one}: metadata.name: {first} has this name already.")
                found.append(one)
    except InvalidConfig as exc:
        problems.append(exc.message)
    if len(found) > MAX_DOCUMENTS:
        problems.append(f"These are more than {MAX_DOCUMENTS} documents: apply them in parts.")
    return found, problems


@dataclass(frozen=True, slots=True)
class Secrets:
    """Follows the references of one document.

    Attributes:
        folder: of the document; the files of ``secretRef.file`` are relative to it.
        mounted: a folder with a folder for each Secret, with a file for each key, as Kubernetes
            mounts them; without it such secrets stay as they are stored.
        kept: the references to secrets that stay.
    """

    folder: Path
    mounted: Path | None
    kept: list[str]

    def read(self, reference: Mapping[str, Any]) -> str:
        """The text that a ``secretRef`` names.

        Raises:
            InvalidConfig: it names none.
        """
        match dict(reference):
            case {"env": str(variable), **others} if not others:
                if variable not in os.environ:
                    raise InvalidConfig(f"secretRef.env: the variable {variable} is not set.")
                return os.environ[variable]
            case {"file": str(path), **others} if not others:
                return _secret(self.folder / path, "secretRef.file")
            case {"name": str(name), "key": str(key), **others} if not others:
                if not _NAME.fullmatch(name) or not _NAME.fullmatch(key):
                    raise InvalidConfig("secretRef: name and key are letters, digits, ., - and _.")
                if self.mounted is not None:
                    return _secret(self.mounted / name / key, "secretRef")
                self.kept.append(f"{name}/{key}")
                return HIDDEN
        raise no_reference("either env, or file, or the name and the key of a Secret")


def write_documents(documents: Iterable[Mapping[str, Any]]) -> str:
    """Documents as one YAML text."""
    return yaml.safe_dump_all(
        documents, sort_keys=False, allow_unicode=True, explicit_start=True, width=100
    )


def folder_of(file: str) -> Path:
    """What the paths in a file are relative to."""
    return Path.cwd() if file == STDIN else Path(file).parent


def _files(paths: Iterable[str], recursive: bool) -> Iterator[str]:
    for path in paths:
        if path == STDIN or not Path(path).is_dir():
            yield path
            continue
        inside = Path(path).rglob("*") if recursive else Path(path).iterdir()
        files = sorted(each for each in inside if each.suffix in SUFFIXES and each.is_file())
        if not files:
            deeper = "" if recursive else "; --recursive also looks into its folders"
            raise InvalidConfig(f"{path}: the folder has no file {', '.join(SUFFIXES)}{deeper}.")
        yield from map(str, files)


def _parsed(file: str) -> Iterator[Any]:
    """The documents of a file; the items of a List are documents of their own."""
    text = _text(file)
    try:
        documents = (
            [json.loads(text, object_pairs_hook=_without_twins)]
            if text.lstrip().startswith("{")
            else list(yaml.load_all(text, _Loader))
        )
    except yaml.YAMLError as exc:
        raise InvalidConfig(f"{file}: this is not YAML: {_said(exc)}.") from exc
    except RecursionError as exc:
        raise InvalidConfig(f"{file}: it is nested too deep.") from exc
    except ValueError as exc:
        # YAML's flow mappings begin so, too.
        try:
            documents = list(yaml.load_all(text, _Loader))
        except (yaml.YAMLError, RecursionError, ValueError):
            raise InvalidConfig(f"{file}: this is neither JSON nor YAML: {exc}.") from exc
    for document in documents:
        if isinstance(document, Mapping) and document.get("kind") == _ITEMS:
            items = document.get("items")
            yield from items if isinstance(items, list) else [document]
        elif document is not None:
            yield document


def _text(file: str) -> str:
    try:
        if file == STDIN:
            content = sys.stdin.buffer.read(MAX_FILE + 1)
        else:
            with open(file, "rb") as opened:
                content = opened.read(MAX_FILE + 1)
        if len(content) > MAX_FILE:
            raise InvalidConfig(f"{file}: the file is larger than {MAX_FILE} bytes: split it.")
        return content.decode("utf-8-sig")
    except OSError as exc:
        raise InvalidConfig(f"{file}: cannot be read: {exc.strerror}.") from exc
    except UnicodeDecodeError as exc:
        raise InvalidConfig(f"{file}: is not UTF-8 text.") from exc


def _checked(value: Any) -> Any:
    """A document that JSON can hold, and that is not too large: an alias may stand for much."""
    size = 0
    try:
        for part in json.JSONEncoder(allow_nan=False).iterencode(value):
            size += len(part)
            if size > MAX_DOCUMENT:
                raise InvalidConfig(f"the document is larger than {MAX_DOCUMENT} bytes.")
    except (TypeError, ValueError, RecursionError) as exc:
        raise InvalidConfig(f"the document has a value that JSON cannot hold: {exc}.") from exc
    return value


def _secret(path: Path, field: str) -> str:
    """The text of a file, without the line break that editors put at its end."""
    try:
        with path.open("rb") as opened:
            content = opened.read(MAX_SECRET + 1)
        if len(content) > MAX_SECRET:
            raise InvalidConfig(f"{field}: {path} is larger than {MAX_SECRET} bytes.")
        return content.decode().removesuffix("\n").removesuffix("\r")
    except OSError as exc:
        raise InvalidConfig(f"{field}: {path} cannot be read: {exc.strerror}.") from exc
    except UnicodeDecodeError as exc:
        raise InvalidConfig(f"{field}: {path} is not UTF-8 text.") from exc


def place(file: str, number: int) -> str:
    """Where a document stands, as messages say it."""
    return f"{'stdin' if file == STDIN else file}, document {number}"


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the field {name!r} stands in it twice")
    return dict(pairs)


def _said(exc: yaml.YAMLError) -> str:
    """What is wrong, and where; not as the library says it, which quotes a line of secrets."""
    problem = getattr(exc, "problem", None) or getattr(exc, "reason", None) or "it cannot be read"
    mark = getattr(exc, "problem_mark", None)
    where = "" if mark is None else f" (line {mark.line + 1}, column {mark.column + 1})"
    return " ".join(f"{problem}{where}".split())[:300]


class _Loader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: a date is a text, and no field stands twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for name, _ in node.value:
            if name.tag == "tag:yaml.org,2002:merge":
                continue
            if name.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"the field {name.value!r} stands in it twice",
                    problem_mark=name.start_mark,
                )
            seen.add(name.value)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if not tag.endswith(":timestamp")]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
