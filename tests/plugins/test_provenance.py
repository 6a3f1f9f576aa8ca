"""Where a plug-in comes from, over folders that look like installed distributions."""

from pathlib import Path

import pytest

from tests.plugins.test_discovery import GOOD, GROUP, Site
from webhook_service.plugins.provenance import provenance

NEEDS = """Requires-Dist: pydantic>=2
Requires-Dist: pydantic; extra == "there"
Requires-Dist: no-such-distribution<2,>=1; extra == "nomad"
Requires-Dist: another-one; (python_version > "3") and extra == 'nomad'
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.syspath_prepend(str(tmp_path))
    return Site(tmp_path)


def add(site: Site, extras: str = "", record: str = "") -> None:
    site.add("good-driver", "good_one", GOOD, good=f"Good {extras}")
    info = site.folder / "good-driver-1.0.dist-info"
    (info / "METADATA").write_text(f"{(info / 'METADATA').read_text()}\n{NEEDS}")
    if record:
        (info / "RECORD").write_text(record)


def test_it_names_the_distribution_the_class_and_what_is_always_needed(site: Site) -> None:
    add(site)
    (found,) = provenance(GROUP, "good")
    assert (found.distribution, found.version) == ("good-driver", "1.0")
    assert (found.target, found.requires) == ("good_one:Good", ("pydantic>=2",))
    assert (found.hash, found.missing) == ("", ())


def test_the_hash_follows_what_was_installed(site: Site) -> None:
    add(site, record="good_one.py,sha256=abc,10")
    (before,) = provenance(GROUP, "good")
    (site.folder / "good-driver-1.0.dist-info" / "RECORD").write_text("good_one.py,sha256=def,10")
    (after,) = provenance(GROUP, "good")
    assert before.hash.startswith("sha256:") and before.hash != after.hash


@pytest.mark.parametrize(
    ("extras", "missing"),
    [("[nomad]", ("no-such-distribution", "another-one")), ("[there]", ()), ("", ())],
)
def test_what_its_extra_needs_and_is_not_installed_is_missing(
    site: Site, extras: str, missing: tuple[str, ...]
) -> None:
    add(site, extras)
    (found,) = provenance(GROUP, "good")
    assert found.missing == missing


def test_a_name_that_nobody_provides_has_none(site: Site) -> None:
    assert provenance(GROUP, "good") == ()


def test_a_distribution_that_cannot_be_read_stops_nothing(site: Site) -> None:
    add(site)
    bad = site.folder / "bad-1.0.dist-info"
    bad.mkdir()
    (bad / "METADATA").write_text("Metadata-Version: 2.1\nName: bad\nVersion: 1.0")
    (bad / "entry_points.txt").write_text("[some.other.group]\nbroken line")
    assert [each.name for each in provenance(GROUP, "good")] == ["good"]
