"""The documentation as a site: it builds offline, and its menu has every page."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ASSET = re.compile(r"""<(?:script|link|img)[^>]+(?:src|href)=["']?(https?:[^"'\s>]+)""")


@pytest.mark.timeout(300)
def test_the_site_builds_strictly_and_asks_no_other_host_for_anything(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    config = (ROOT / "zensical.toml").read_text()
    for ours, theirs in (("build/site", "site"), ('paths = ["."]', f'paths = ["{ROOT}"]')):
        assert ours in config
        config = config.replace(ours, theirs)
    (tmp_path / "zensical.toml").write_text(config)
    program = str(Path(sys.executable).with_name("zensical"))
    command = [program, "build", "--strict", "--config-file", str(tmp_path / "zensical.toml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert "accept_async" in (tmp_path / "site/python/service/index.html").read_text()
    assert (tmp_path / "site/search.json").stat().st_size > 10_000
    foreign = {url for page in pages for url in ASSET.findall(page.read_text())}
    assert not foreign


def test_every_page_stands_in_the_menu_of_the_site() -> None:
    menu = (ROOT / "zensical.toml").read_text()
    pages = [page.relative_to(ROOT / "docs") for page in (ROOT / "docs").rglob("*.md")]
    assert [str(page) for page in pages if f'"{page}"' not in menu] == []
