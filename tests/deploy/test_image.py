"""The image: the same twice, small, described by what it holds, and able to run all of it."""

import json
import shutil
from collections.abc import Iterator
from email import message_from_string

import pytest
from packaging.utils import canonicalize_name

from tests.servers.builder import Builder

pytestmark = [pytest.mark.image_build, pytest.mark.slow, pytest.mark.timeout(3600)]
IMAGE = "localhost/hooks"


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    """After `make image`."""
    folder = tmp_path_factory.mktemp("builder")
    try:
        builder = Builder(folder)
        builder.make("image", IMAGE)
        yield builder
    finally:
        # Gigabytes, which pytest would keep.
        shutil.rmtree(folder)


def test_the_image_is_less_than_110_megabytes_packed(builder: Builder) -> None:
    assert builder.layout(IMAGE).size < 110_000_000


def test_a_second_build_without_a_cache_has_the_same_digest(builder: Builder) -> None:
    builder.make("image", "localhost/again")
    assert builder.layout("localhost/again").digest == builder.layout(IMAGE).digest


def test_the_sbom_names_each_package_of_the_image_and_no_other(builder: Builder) -> None:
    builder.make("sbom")
    (file,) = (builder.sources / "dist").glob("*.cdx.json")
    described = json.loads(file.read_text())
    assert (described["bomFormat"], described["specVersion"]) == ("CycloneDX", "1.6")
    named = {(canonicalize_name(each["name"]), each["version"]) for each in described["components"]}
    there = map(message_from_string, builder.layout(IMAGE).files(".dist-info/METADATA"))
    assert named == {(canonicalize_name(each["Name"]), each["Version"]) for each in there}
    assert len(named) > 50


def test_each_shipped_driver_can_run_in_the_image(builder: Builder) -> None:
    container = builder.run("from", "--pull-never", IMAGE).strip()
    command = ("webhook-service", "driver", "list", "-o", "json")
    said = json.loads(builder.run("run", "--isolation", "chroot", container, "--", *command))
    assert {each["state"] for each in said["data"]} == {"ready"}
    assert len(said["data"]) > 7
    assert builder.run("run", "--isolation", "chroot", container, "--", "id", "-u") == "65532\n"
