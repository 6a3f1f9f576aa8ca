"""Discovery over real installed metadata: folders that look like installed distributions."""

import shutil
import sys
from pathlib import Path

import pytest

from webhook_service.driver import CONTRACT, WebhookDriver
from webhook_service.errors import PluginUnavailable
from webhook_service.plugins.discovery import BAD_NAME, Plugins, discover
from webhook_service.plugins.pins import read_pins
from webhook_service.schemes import Scheme

GROUP = "webhook_service.test_drivers"
GOOD = """
from webhook_service import Done, DriverConfig, WebhookDriver
class Good(WebhookDriver[DriverConfig]):
    def execute(self, config, event, context):
        return Done()
"""


class Site:
    """A folder on sys.path to which distributions are added."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(
        self, distribution: str, module: str, source: str, needs: str = "", **points: str
    ) -> None:
        (self.folder / f"{module}.py").write_text(source)
        info = self.folder / f"{distribution}-1.0.dist-info"
        info.mkdir()
        head = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0"
        (info / "METADATA").write_text(f"{head}\nRequires-Dist: {needs}" if needs else head)
        lines = [f"{name} = {module}:{target}" for name, target in points.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines]))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.syspath_prepend(str(tmp_path))
    return Site(tmp_path)


def find(*only: str) -> Plugins[WebhookDriver]:  # type: ignore[type-arg]
    return discover(GROUP, "driver", WebhookDriver, read_pins(only))


def test_an_installed_driver_is_found_with_its_distribution(site: Site) -> None:
    site.add("good-driver", "good_one", GOOD, good="Good")
    (plugin,) = find()
    assert (plugin.name, plugin.distribution, plugin.version) == ("good", "good-driver", "1.0")
    assert find().get("good") is plugin.target


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import no_such_module", "no_such_module"),
        ("assert False, 'an assertion'", "AssertionError; the service's log"),
        ("raise SystemExit(3)", "SystemExit"),
        ("broken(", "SyntaxError"),
        ("class Bad: pass", "its class Bad does not extend WebhookDriver"),
        ("from webhook_service import WebhookDriver as Bad", "does not define execute"),
        ("", "Bad"),
        (GOOD.replace("def execute", "def exeucte") + "Bad = Good", "does not define execute"),
        (GOOD + "class Bad(Good):\n    class Config: pass", "Config must be a class that extends"),
        (GOOD + "class Bad(Good):\n    Config = 'Config'", "extends DriverConfig"),
    ],
)
def test_a_broken_driver_is_kept_with_its_error_and_harms_no_other(
    site: Site, source: str, error: str
) -> None:
    site.add("good-driver", "good_two", GOOD, good="Good")
    module = f"bad_{abs(hash(source))}"
    site.add("bad-driver", module, source, bad="Bad")
    plugins = find()
    assert plugins.names == ("good",)
    (broken,) = [plugin for plugin in plugins if plugin.name == "bad"]
    assert error in (broken.error or "")
    with pytest.raises(PluginUnavailable, match="cannot be used"):
        plugins.get("bad")


def test_two_distributions_with_one_name_are_an_error_that_names_both(site: Site) -> None:
    site.add("first-driver", "first_module", GOOD, same="Good")
    site.add("second-driver", "second_module", GOOD, same="Good")
    with pytest.raises(PluginUnavailable, match="first-driver.*second-driver|second.*first"):
        find().get("same")


def test_what_is_not_allowed_is_not_even_imported(site: Site) -> None:
    site.add("good-driver", "good_three", GOOD, good="Good")
    site.add("other-driver", "other_module", "raise RuntimeError", other="X")
    assert [plugin.name for plugin in find("good")] == ["good"]
    assert "other_module" not in sys.modules


def test_a_driver_removed_later_is_gone_at_the_next_look(site: Site) -> None:
    site.add("late-driver", "late_two", GOOD, late="Good")
    assert "late" in find()
    shutil.rmtree(site.folder / "late-driver-1.0.dist-info")
    assert "late" not in find()


def test_a_driver_installed_later_is_found_at_the_next_look(site: Site) -> None:
    assert list(find()) == []
    site.add("good-driver", "good_four", GOOD, good="Good")
    assert find().names == ("good",)


def test_an_unknown_name_lists_the_known_ones(site: Site) -> None:
    site.add("good-driver", "good_five", GOOD, good="Good")
    with pytest.raises(PluginUnavailable, match="known: good"):
        find().get("nope")


def test_a_list_of_entry_points_that_cannot_be_read_hides_no_other(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.add("good-driver", "good_six", GOOD, good="Good")
    site.add("bad-list", "bad_list", "")
    (site.folder / "bad-list-1.0.dist-info/entry_points.txt").write_text("[some.other]\nbroken\n")
    assert find().names == ("good",)
    assert "bad-list cannot be read" in caplog.text


def test_a_distribution_without_metadata_harms_no_other(site: Site) -> None:
    site.add("good-driver", "good_seven", GOOD, good="Good")
    (site.folder / "nameless-1.0.dist-info").mkdir()
    assert find().names == ("good",)


@pytest.mark.parametrize("name", ["x" * 256, "a\u200bb", "tab\tbed"])
def test_a_name_that_cannot_be_stored_or_shown_is_listed_as_broken(site: Site, name: str) -> None:
    site.add("good-driver", "good_eight", GOOD, good="Good", **{name: "Good"})
    plugins = find()
    assert plugins.names == ("good",)
    assert [plugin.error for plugin in plugins if plugin.name == name] == [f"its name {BAD_NAME}."]


def test_what_a_plug_in_prints_is_not_printed_into_answers(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.add("loud-driver", "loud_one", f"print('hello')\n{GOOD}", loud="Good")
    assert find().names == ("loud",)
    assert capsys.readouterr() == ("", "hello\n")


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (CONTRACT + 1, f"asks for version {CONTRACT + 1} of the plug-in contract"),
        ("'2'", "must be a number"),
    ],
)
def test_one_that_asks_for_a_newer_contract_is_broken_and_harms_no_other(
    site: Site, asked: object, error: str
) -> None:
    site.add("good-driver", "good_nine", f"{GOOD}    contract = {CONTRACT}", good="Good")
    module = f"newer_{abs(hash(str(asked)))}"
    site.add("newer-driver", module, f"{GOOD}    contract = {asked}", newer="Good")
    assert find().names == ("good",)
    with pytest.raises(PluginUnavailable, match=error):
        find().get("newer")


@pytest.mark.parametrize("needs", ["webhook-service>=9", "Webhook_Service[all]<0.0.1"])
def test_one_that_requires_another_version_of_the_service_is_not_even_imported(
    site: Site, needs: str
) -> None:
    site.add("later-driver", "later_module", "raise RuntimeError", needs, later="Good")
    with pytest.raises(PluginUnavailable, match="needs webhook-service.*is installed: install"):
        find().get("later")
    assert "later_module" not in sys.modules


@pytest.mark.parametrize("needs", ["webhook-service>=0.1", 'webhook-service>=9; extra == "next"'])
def test_one_that_requires_this_version_is_taken(site: Site, needs: str) -> None:
    site.add("good-driver", f"good_{abs(hash(needs))}", GOOD, needs, good="Good")
    assert find().names == ("good",)


def test_one_whose_extra_is_not_installed_says_how_to_install_it_and_shows_no_traceback(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    needs = 'no-such-distribution; extra == "nomad"'
    source = "import no_such_distribution"
    site.add("nomad-driver", "nomad_module", source, needs, nomad="Good [nomad]")
    with pytest.raises(PluginUnavailable, match="needs no-such-distribution: pip install"):
        find().get("nomad")
    (plugin,) = find()
    assert (plugin.error or "").endswith("pip install 'nomad-driver[nomad]'.")
    assert (plugin.state, plugin.problem) == ("incomplete", plugin.error)
    assert "Traceback" not in caplog.text
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_one_that_loads_without_its_extra_is_incomplete_and_says_how_to_install_it(
    site: Site,
) -> None:
    needs = 'no-such-distribution; extra == "nomad"'
    site.add("nomad-driver", "lazy_module", GOOD, needs, nomad="Good [nomad]")
    (plugin,) = find()
    assert (plugin.state, plugin.error) == ("incomplete", None)
    assert plugin.target is find().get("nomad")
    assert plugin.problem == "it needs no-such-distribution: pip install 'nomad-driver[nomad]'."


def test_what_is_wrong_with_one_comes_before_the_extra_that_it_lacks(site: Site) -> None:
    needs = 'Requires-Dist: no-such-distribution; extra == "nomad"'
    site.add(
        "later-driver", "later_two", GOOD, f"webhook-service>=9\n{needs}", nomad="Good [nomad]"
    )
    (plugin,) = find()
    assert plugin.state == "broken" and "webhook-service>=9" in (plugin.problem or "")


def test_a_scheme_whose_options_are_no_model_is_broken(site: Site) -> None:
    source = (
        "from webhook_service.schemes import Scheme\n"
        "class Bad(Scheme):\n"
        "    Options = dict\n"
        "    def check(self, call, options): pass\n"
    )
    site.add("bad-scheme", "bad_scheme", source, bad="Bad")
    (plugin,) = discover(GROUP, "scheme", Scheme, read_pins(()))  # type: ignore[type-abstract]
    assert (plugin.state, plugin.error) == (
        "broken",
        "its Options must be a class that extends SchemeOptions.",
    )
