"""Paths find what they name in an object, and a patch changes nothing beside it."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tests.drivers.steps import context, push
from webhook_drivers.field_path import steps_of
from webhook_drivers.kubernetes.fields.values import (
    ObjectPath,
    merge_patch,
    steps_to,
    value_at,
    with_values,
)
from webhook_drivers.pushed import WrittenImage
from webhook_service import DriverError

PUSHED = WrittenImage(push("2"), context(1))
OBJECT: dict[str, Any] = {
    "metadata": {"name": "shop"},
    "spec": {
        "images": ["acme/db:9", "shop=docker.io/acme/shop:1", 5],
        "list": [{"name": "a", "tag": "1"}, {"name": "b", "tag": "1"}],
        "image.tag": "1",
        "count": 3,
    },
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.images[{image}]", "shop=docker.io/acme/shop:1"),
        ("spec.list[name=b].tag", "1"),
        ("spec.list[0].name", "a"),
        ('spec."image.tag"', "1"),
    ],
)
def test_a_path_finds_its_text_and_sets_it_alone(path: str, value: str) -> None:
    steps = steps_to(OBJECT, path, PUSHED)
    assert value_at(OBJECT, path, steps) == value
    after = with_values(OBJECT, {steps: "new"})
    assert value_at(after, path, steps_of(path) if "{" not in path else steps) == "new"
    assert with_values(after, {steps: value}) == OBJECT
    assert list(merge_patch(OBJECT, after)) == ["spec"]
    assert len(merge_patch(OBJECT, after)["spec"]) == 1


@pytest.mark.parametrize(
    "path", ["spec.nothing", "spec.list[2].tag", "spec.list[name=c].tag", "spec.count", "spec.list"]
)
def test_what_is_no_text_is_refused(path: str) -> None:
    with pytest.raises(DriverError, match="Write the first value by hand"):
        value_at(OBJECT, path, steps_to(OBJECT, path, PUSHED))


@pytest.mark.parametrize("path", ["spec.list[{image}]", "spec.count[{image}]", "spec.no[{image}]"])
def test_a_list_without_the_image_is_refused(path: str) -> None:
    with pytest.raises(DriverError, match="has no image of docker.io/acme/shop: add it"):
        steps_to(OBJECT, path, PUSHED)


@pytest.mark.parametrize("path", ["metadata.name", "status.x", "kind", "a..b", "[{image}]", ""])
def test_paths_of_what_is_not_for_pushes_are_refused(path: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(ObjectPath).validate_python(path)


def test_a_patch_of_nothing_is_empty() -> None:
    assert merge_patch(OBJECT, with_values(OBJECT, {})) == {}
