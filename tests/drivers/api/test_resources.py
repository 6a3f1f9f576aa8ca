"""Which API groups are Kubernetes' own."""

import re
from pathlib import Path

import kubernetes
import pytest

from tests.servers.control_plane import ControlPlane
from webhook_drivers.kubernetes.api.resources import is_built_in


def test_every_group_of_the_client_library_is_built_in() -> None:
    modules = (Path(kubernetes.__file__).parent / "client/api").glob("*_api.py")
    groups = {
        name for file in modules for name in re.findall(r"/apis/([a-z0-9.-]+)/", file.read_text())
    }
    assert {"apps", "resource.k8s.io", "flowcontrol.apiserver.k8s.io"} < groups
    assert {name for name in groups if not is_built_in(name)} == set()


def test_every_group_of_a_control_plane_without_custom_kinds_is_built_in(
    control_plane: ControlPlane,
) -> None:
    groups = {each["name"] for each in control_plane.api.get("/apis")["groups"]}
    definitions = control_plane.api.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
    custom = {each["spec"]["group"] for each in definitions["items"]}
    assert "apps" in groups
    assert {name for name in groups - custom if not is_built_in(name)} == set()
    assert {name for name in custom if is_built_in(name)} == set()


@pytest.mark.parametrize("group", ["", "core", "extensions", "settings.k8s.io"])
def test_groups_that_were_or_never_were_are_built_in(group: str) -> None:
    assert is_built_in(group)


@pytest.mark.parametrize(
    "group", ["argoproj.io", "k8s.io", "apps.k8s.io", "cluster.x-k8s.io", "batch.example.k8s.io"]
)
def test_groups_of_others_are_not(group: str) -> None:
    assert not is_built_in(group)
