"""The documentation as a site: it builds offline, and every link in every page leads somewhere."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("examples/**/*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
ASSET = re.compile(r"""<(?:script|link|img)[^>]+(?:src|href)=["']?(https?:[^"'\s>]+)""")


def heading_ids(page: Path) -> set[str]:
    """The anchors of a page's headings, as forges and the site make them."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    found: set[str] = set()
    for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title).replace("`", "").strip().lower()
        found.add(re.sub(r"[^\w -]", "", words).replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    lost = []
    for link in LINK.findall(re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (
            anchor and target.suffix == ".md" and anchor not in heading_ids(target)
        ):
            lost.append(link)
    assert lost == []


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
