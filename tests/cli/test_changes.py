"""A file and options beside it are one change: that of the file, and then that of the options."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.conftest import RunJson
from webhook_service.cli.json_input import composed
from webhook_service.receiving.bodies.receiver import merge

LEAVES = st.none() | st.integers(0, 3)
CHANGES = st.recursive(
    LEAVES, lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=8
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), CHANGES, max_size=3)


def _pruned(value: Any) -> Any:
    return merge({}, value, "")


@given(OBJECTS.map(_pruned), OBJECTS, OBJECTS)
def test_one_change_does_what_two_do_one_after_the_other(
    stored: Mapping[str, Any], first: Mapping[str, Any], then: Mapping[str, Any]
) -> None:
    expected = _without_empty(merge(merge(stored, first, ""), then, ""))
    assert _without_empty(merge(stored, composed(stored, first, then), "")) == expected


def _without_empty(value: Any) -> Any:
    """An object without fields says as much as none."""
    if not isinstance(value, Mapping):
        return value
    inner = {name: _without_empty(part) for name, part in value.items()}
    return {name: part for name, part in inner.items() if part != {}}


def test_of_another_kind_in_the_options_nothing_of_the_files_kind_is_left() -> None:
    said = {"source": {"format": "nexus", "registry": "nexus.example"}}
    assert composed({}, said, {"source": {"format": "harbor"}}) == {"source": {"format": "harbor"}}


def _left(receiver: Mapping[str, Any]) -> tuple[Any, ...]:
    match = receiver["match"]
    return receiver["labels"], match["repositories"], match["tags"]["value"]


@pytest.mark.parametrize(
    ("said", "options", "left"),
    [
        ('{"labels": null}', ["--label", "team=b"], ({"team": "b"}, ["acme/shop"], "^1")),
        (
            '{"labels": {"tier": "1"}}',
            ["--label", "team=b"],
            ({"team": "b", "cost": "7", "tier": "1"}, ["acme/shop"], "^1"),
        ),
        ('{"match": null}', ["--tag", "2.0"], ({"team": "a", "cost": "7"}, [], "2.0")),
        ('{"match": {"tags": null}}', ["--tag", "2"], (..., ["acme/shop"], "2")),
        ('{"match": {"repositories": ["x/y"]}}', ["--tag", "^2"], (..., ["x/y"], "^2")),
    ],
)
def test_null_in_a_file_removes_what_the_options_beside_it_do_not_set(
    run_json: RunJson, said: str, options: list[str], left: tuple[Any, ...], tmp_path: Path
) -> None:
    made = run_json(
        *("receiver", "create", "--name", "shop", "--driver", "stub", "--verify", "none"),
        *("--config", "{}", "--label", "team=a", "--label", "cost=7"),
        *("--tag-policy", "semver", "--tag", "^1", "--repository", "acme/shop"),
    )
    (tmp_path / "change.json").write_text(said)
    file = ("-f", str(tmp_path / "change.json"))
    changed = _left(run_json("receiver", "update", made["id"], *file, *options))
    assert changed == (changed[0] if left[0] is ... else left[0], *left[1:])


def test_an_option_beside_a_file_changes_its_field_alone(run_json: RunJson, tmp_path: Path) -> None:
    file = tmp_path / "receiver.json"
    file.write_text(
        '{"name": "shop", "driver": "stub", "stubConfig": {}, "verify": {"scheme": "none"},'
        ' "match": {"repositories": ["acme/shop"], "tags": {"policy": "semver", "value": "^1"}}}'
    )
    made = run_json("receiver", "create", "-f", str(file), "--tag", "^2")
    tags = made["match"]["tags"]
    assert (tags["policy"], tags["value"]) == ("semver", "^2")
    assert made["match"]["repositories"] == ["acme/shop"]
