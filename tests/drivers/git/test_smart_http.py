"""What is read of a commit: files, and nothing where there is none."""

from stat import S_IFDIR, S_IFLNK, S_IFREG
from typing import Any

import pytest
from dulwich.objects import S_IFGITLINK, Blob, Commit, Tree

from webhook_drivers.git.forges.contents import file_of
from webhook_drivers.git.repository import NotAFile
from webhook_drivers.git.smart_http import SmartHttp

FILE = b"tag: 1\n"


@pytest.fixture
def commit() -> tuple[SmartHttp, str]:
    """A commit with a file in a folder, a link, and a submodule."""
    unused: Any = None
    git = SmartHttp(unused, "https://git.example.com/", "acme/shop", {})
    blob, folder, root, made = Blob.from_string(FILE), Tree(), Tree(), Commit()
    folder.add(b"values.yaml", S_IFREG | 0o644, blob.id)
    root.add(b"shop", S_IFDIR, folder.id)
    leads = Blob.from_string(b"shop/values.yaml")
    root.add(b"link", S_IFLNK, leads.id)
    root.add(b"vendor", S_IFGITLINK, b"a" * 40)
    made.tree = root.id
    made.author = made.committer = b"Ann <ann@example.com>"
    made.author_time = made.commit_time = made.author_timezone = made.commit_timezone = 0
    made.message = b"begin"
    for each in (blob, leads, folder, root, made):
        git._objects.add_object(each)
    return git, made.id.decode()


def test_a_file_in_a_folder_is_read(commit: tuple[SmartHttp, str]) -> None:
    git, at = commit
    found = git.read("shop/values.yaml", at)
    assert found is not None and found.data == FILE


@pytest.mark.parametrize(
    "path",
    ["none", "shop/none", "shop/values.yaml/x", "vendor/values.yaml"],
)
def test_what_is_no_file_is_not_there(commit: tuple[SmartHttp, str], path: str) -> None:
    git, at = commit
    assert git.read(path, at) is None


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("shop", "shop is a folder, not a file: write the path of a file in it"),
        ("link", "link is a symbolic link to shop/values.yaml, not a file: write the path of the"),
        ("vendor", "vendor is a submodule, not a file: write that repository's own URL"),
    ],
)
def test_what_is_there_and_is_no_file_is_named(
    commit: tuple[SmartHttp, str], path: str, said: str
) -> None:
    git, at = commit
    with pytest.raises(NotAFile, match=said):
        git.read(path, at)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ([{"path": "apps/shop/a.yaml", "type": "file"}], "apps/shop is a folder"),
        ({"path": "a", "type": "symlink", "target": "b"}, "a is a symbolic link to b"),
        ({"path": "a", "type": "submodule"}, "a is a submodule"),
    ],
)
def test_what_a_forge_has_instead_of_a_file_is_named(answer: Any, said: str) -> None:
    with pytest.raises(NotAFile, match=said):
        file_of(answer)
