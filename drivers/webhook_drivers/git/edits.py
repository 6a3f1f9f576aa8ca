"""The kinds of files that a push can be written to, and which of their values it changes. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field
from ruamel.yaml.nodes import Node, SequenceNode

from webhook_drivers.field_path import FieldPath, above, steps_of
from webhook_drivers.git.yaml_text import Scalar, YamlText, field, follow, text
from webhook_drivers.pushed import Template, WrittenImage, whole_images
from webhook_service import Change, DriverConfig, DriverError

MISSING = "field_missing"
_COMMENT = re.compile(r"[,\]}\s]*\s#\s*(\{[^}]*\})")


@dataclass(frozen=True, slots=True)
class EditedPlace:
    """One value of a file, as it is and as the push wants it.

    Attributes:
        image: what names the image that it belongs to, for people.
        part: which part of the image it is: ``image``, ``tag``, ``digest``; "" is none.
    """

    image: str
    part: str
    scalar: Scalar
    value: str


Found = Iterator[EditedPlace]


class KustomizationEdit(DriverConfig):
    """The image's entries under ``images`` of a kustomization: newTag and digest, as each has."""

    type: Literal["kustomization"] = "kustomization"
    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=300,
        description="The `name` of the entry; without it every one whose `newName` or `name` is "
        "the pushed repository.",
    )

    def places(self, file: YamlText, pushed: WrittenImage) -> Found:
        found = False
        for number, item in enumerate(_items(file, "images")):
            name, new = text(field(item, "name")), text(field(item, "newName"))
            if self.name is None and not pushed.is_of(new or name or ""):
                continue
            if self.name is not None and name != self.name:
                continue
            if not pushed.is_of(new or name or ""):
                pushed.refuse_unnamed(new or name or "")
            found = True
            yield from _tag_and_digest(
                file, item, pushed, f"images[{number}]", ("newTag", "digest")
            )
        if not found:
            wanted = self.name or pushed.event.reference.name
            raise DriverError(
                f"The file has no entry for {wanted} under `images`: add one with `name` and "
                "`newTag`.",
                code=MISSING,
            )


class HelmValuesEdit(DriverConfig):
    """The image in the values of a chart: `repository` with `tag` or `digest`, or one text."""

    type: Literal["helmValues"] = "helmValues"
    path: FieldPath = Field(default="image", description="Where the image is in the file.")

    def places(self, file: YamlText, pushed: WrittenImage) -> Found:
        node = _at(file, self.path, None, None)
        if text(node) is not None:
            scalar = file.scalar(node)
            yield EditedPlace(self.path, "image", scalar, pushed.instead_of(scalar.value))
            return
        registry, name = text(field(node, "registry")), text(field(node, "repository"))
        image = f"{registry}/{name}" if registry else name or ""
        if not pushed.is_of(image):
            pushed.refuse_unnamed(image or "no repository")
        yield from _tag_and_digest(file, node, pushed, self.path, ("tag", "digest"))


class YamlEdit(DriverConfig):
    """Fields by their paths, with values of the push."""

    type: Literal["yaml"] = "yaml"
    fields: Mapping[FieldPath, Template] = Field(
        min_length=1,
        max_length=20,
        description="The value of each field by its path: {image}, {tag}, {digest}, …. {image} "
        "alone keeps the name as the file spells it.",
    )
    kind: str | None = Field(
        default=None, max_length=63, description="Of several documents those of this `kind`."
    )
    name: str | None = Field(
        default=None, max_length=253, description="Of several documents those of this name."
    )

    def places(self, file: YamlText, pushed: WrittenImage) -> Found:
        for path, template in self.fields.items():
            scalar = file.scalar(_at(file, path, self.kind, self.name))
            if template == "{image}":
                yield EditedPlace(path, "image", scalar, pushed.instead_of(scalar.value))
            elif template in ("{tag}", "{digest}"):
                yield EditedPlace(above(path), template[1:-1], scalar, pushed.filled(template))
            else:
                yield EditedPlace(path, "", scalar, pushed.filled(template))


class MarkerEdit(DriverConfig):
    """Lines with Flux's comment ``# {"$imagepolicy": "namespace:name"}``, ``:tag`` and the like.

    https://fluxcd.io/flux/guides/image-update/#configure-image-update-for-custom-resources
    """

    type: Literal["marker"] = "marker"
    policy: str = Field(
        max_length=320,
        pattern=r"^[a-z0-9.-]+:[a-z0-9.-]+$",
        description="The policy that the comments name: `namespace:name`.",
    )

    def places(self, file: YamlText, pushed: WrittenImage) -> Found:
        found = False
        for scalar, rest in file.scalars():
            marked = _marked(rest)
            if marked != self.policy and not marked.startswith(f"{self.policy}:"):
                continue
            found = True
            where = f"line {file.text.count(chr(10), 0, scalar.start) + 1}"
            match marked[len(self.policy) :]:
                case "":
                    yield EditedPlace(where, "image", scalar, pushed.instead_of(scalar.value))
                case ":name":
                    if not pushed.is_of(scalar.value):
                        pushed.refuse_unnamed(scalar.value)
                        yield EditedPlace(where, "", scalar, pushed.name)
                case ":tag" | ":digest" as part:
                    value = pushed.filled(f"{{{part[1:]}}}")
                    yield EditedPlace(self.policy, part[1:], scalar, value)
        if not found:
            raise DriverError(
                f'No line of the file has the comment # {{"$imagepolicy": "{self.policy}"}}: add '
                "it behind the image.",
                code=MISSING,
            )


Edit = Annotated[
    KustomizationEdit | HelmValuesEdit | YamlEdit | MarkerEdit, Field(discriminator="type")
]


@dataclass(frozen=True, slots=True)
class Edited:
    """A file as a push is to leave it.

    Attributes:
        changes: of the images, and of other values.
        runs: the images of the pushed repository that the file names now, by their places.
    """

    data: bytes
    changes: tuple[Change, ...]
    runs: Mapping[str, str]


def edited(data: bytes, path: str, edit: Edit, pushed: WrittenImage, target: str = "") -> Edited:
    """
    Args:
        path: of the file, for messages; ``target`` is its name in changes.

    Raises:
        DriverError: the file is not what the edit is for.
    """
    file = YamlText.read(data, path)
    try:
        places = list(edit.places(file, pushed))
    except DriverError as error:
        error.message = f"{path}: {error.message}"
        raise
    values = [(item.scalar, item.value) for item in places if item.scalar.value != item.value]
    before = _shown(places, pushed, [item.scalar.value for item in places])
    after = _shown(places, pushed, [item.value for item in places])
    changes = (Change(target, name, before[name], after[name]) for name in before)
    runs = {name: image for name, image in before.items() if pushed.is_of(image)}
    return Edited(
        file.replaced(values), tuple(item for item in changes if item.before != item.after), runs
    )


def _shown(places: list[EditedPlace], pushed: WrittenImage, values: list[str]) -> dict[str, str]:
    parts = [(item.image, item.part, value) for item, value in zip(places, values, strict=True)]
    return whole_images(pushed.event.reference.name, parts)


def _at(file: YamlText, path: str, kind: str | None, name: str | None) -> Node:
    """
    Raises:
        DriverError: no document has the field, or several have it.
    """
    steps = steps_of(path)
    found = [
        node
        for root in file.roots
        if kind in (None, text(field(root, "kind")))
        and name in (None, text(follow(root, ("metadata", "name"))))
        and (node := follow(root, steps)) is not None
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise DriverError(
            f"{len(found)} documents have {path}: say which with `kind` and `name`.", code=MISSING
        )
    raise DriverError(f"There is no field {path}: add it, or correct the path.", code=MISSING)


def _items(file: YamlText, key: str) -> list[Node]:
    nodes = [field(root, key) for root in file.roots]
    return [item for node in nodes if isinstance(node, SequenceNode) for item in node.value]


def _tag_and_digest(
    file: YamlText, node: Node, pushed: WrittenImage, where: str, keys: tuple[str, str]
) -> Found:
    """The file decides: what it has of the two is set."""
    found = {key: value for key in keys if (value := field(node, key)) is not None}
    if not found:
        raise DriverError(f"{where} has no `{keys[0]}`: add one.", code=MISSING)
    for key, value in found.items():
        if key == "digest" and keys[0] in found and not (text(value) or pushed.event.digest):
            continue  # an empty one, as charts have it by default
        template = "{digest}" if key == "digest" else "{tag}"
        part = "digest" if key == "digest" else "tag"
        yield EditedPlace(where, part, file.scalar(value), pushed.filled(template))


def _marked(rest: str) -> str:
    """The policy that the comment behind a value names."""
    found = _COMMENT.match(rest)
    try:
        said = json.loads(found.group(1)) if found else {}
    except ValueError:
        return ""
    return str(said.get("$imagepolicy", "")) if isinstance(said, dict) else ""
