"""What the image holds is pinned, down to what its packages need, and within our own ranges."""

from collections.abc import Iterator
from configparser import ConfigParser
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PINS = {
    canonicalize_name(name): version
    for name, _, version in (
        line.partition("==")
        for line in (ROOT / "examples/deploy/constraints.txt").read_text().splitlines()
        if not line.startswith("#")
    )
}


def needed(requirement: Requirement, seen: set[str]) -> Iterator[Requirement]:
    """A requirement with all that it brings, as this Python installs it."""
    yield requirement
    for extra in sorted(requirement.extras | {""}):
        mark = f"{canonicalize_name(requirement.name)}[{extra}]"
        if mark in seen:
            continue
        seen.add(mark)
        for text in distribution(requirement.name).requires or ():
            found = Requirement(text)
            if found.marker is None or found.marker.evaluate({"extra": extra}):
                yield from needed(found, seen)


def ours() -> list[Requirement]:
    """What setup.cfg itself asks for in the image."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    extras = config["options.extras_require"]
    (image,) = map(Requirement, extras["image"].split())
    lines = [config["options"]["install_requires"], *(extras[name] for name in image.extras)]
    texts = (line.strip() for each in lines for line in each.splitlines())
    return [Requirement(text) for text in texts if text and not text.startswith("#")]


def test_everything_in_the_image_is_pinned_within_our_ranges() -> None:
    own = [each for each in ours() if each.name != "webhook-service"]
    assert len(own) > 20
    seen: set[str] = set()
    brought = [found for each in own for found in needed(each, seen)]
    assert {canonicalize_name(each.name) for each in brought} - PINS.keys() == set()
    outside = [
        str(each) for each in own if PINS[canonicalize_name(each.name)] not in each.specifier
    ]
    assert outside == []


def test_the_image_can_run_every_shipped_plug_in_and_send_spans() -> None:
    names = {canonicalize_name(each.name) for each in ours()}
    assert {"dulwich", "ruamel-yaml", "kubernetes", "opentelemetry-sdk", "kopf"} <= names
