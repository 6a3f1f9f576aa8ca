"""Only the value changes: every other byte of YAML in the wild stays as it was."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from tests.drivers.git.hosts import DIGEST, context, push
from webhook_drivers.git.edits import Edit, edited
from webhook_drivers.pushed import WrittenImage
from webhook_service import DriverError, TargetConflict

EDITS: TypeAdapter[Any] = TypeAdapter(Edit)
KUSTOMIZATION = {"type": "kustomization"}


def edit(data: bytes, how: dict[str, Any], tag: str = "1.1.0", **more: Any) -> bytes:
    named = more.pop("named", False)
    pushed = WrittenImage(push(tag, **more), context(named=named))
    return edited(data, "file.yaml", EDITS.validate_python(how), pushed).data


GOLDEN = {
    "comments and quotes": (
        b"images: # all\n- name: acme/shop\n  newTag: '1.0.0'   # <- ours\n# end\n",
        KUSTOMIZATION,
        b"'1.0.0'",
        b"'1.1.0'",
    ),
    "windows line ends and a byte order mark": (
        b"\xef\xbb\xbfimages:\r\n- name: acme/shop\r\n  newTag: 1.0.0\r\nroot: C:\\shop\\bin\r\n",
        KUSTOMIZATION,
        b"1.0.0",
        b"1.1.0",
    ),
    "an anchor stays, and its alias follows": (
        b'image:\n  repository: acme/shop\n  tag: &tag "1.0.0"\nother: *tag\n',
        {"type": "helmValues"},
        b'"1.0.0"',
        b'"1.1.0"',
    ),
    "several documents": (
        b"kind: Pod\nspec: {image: none}\n---\nkind: Job\nspec: {image: 'acme/shop:1.0.0'}\n...\n",
        {"type": "yaml", "fields": {"spec.image": "{image}"}, "kind": "Job"},
        b"acme/shop:1.0.0",
        b"acme/shop:1.1.0",
    ),
    "keys that stand twice: the last counts": (
        b"tag: 0.9\ntag: 1.0.0\n",
        {"type": "yaml", "fields": {"tag": "{tag}"}},
        b"1.0.0",
        b"1.1.0",
    ),
    "entries of one name: the pushed repository chooses": (
        b"images:\n- {name: app, newName: acme/blog, newTag: '9'}\n"
        b"- {name: app, newName: docker.io/acme/shop, newTag: '1.0.0'}\n",
        KUSTOMIZATION,
        b"'1.0.0'",
        b"'1.1.0'",
    ),
    "flux's markers": (
        b'a: acme/blog:1.0.0 # {"$imagepolicy": "flux-system:blog"}\n'
        b'b: v1.0.1 # {"$imagepolicy": "flux-system:shop:tag"}\n',
        {"type": "marker", "policy": "flux-system:shop"},
        b"v1.0.1",
        b"1.1.0",
    ),
    "unicode before the value": (
        "# größer ⟶ 🚀\nimage: acme/shop:1.0.0\n".encode(),
        {"type": "helmValues"},
        b":1.0.0",
        b":1.1.0",
    ),
    "merge keys: own fields first, then the first mapping that has the field": (
        b"base: &base {repository: acme/shop, tag: '1.0.0'}\nmore: &more {tag: '0.1'}\n"
        b"image:\n  <<: [*base, *more]\n  pullPolicy: Always\n",
        {"type": "helmValues"},
        b"'1.0.0'",
        b"'1.1.0'",
    ),
    "a merged entry of a kustomization": (
        b"x-shop: &shop {newName: acme/shop, newTag: '1.0.0'}\nimages:\n- {<<: *shop, name: app}\n",
        KUSTOMIZATION,
        b"'1.0.0'",
        b"'1.1.0'",
    ),
    "tabs that separate": (
        b"image:\t# ours\n\t# more\n \t\r\n  repository:\tacme/shop\n  tag: 1.0.0\t# a\tb\n",
        {"type": "helmValues"},
        b"1.0.0",
        b"1.1.0",
    ),
    "an empty digest, of a push without one": (
        b'image:\n  registry: docker.io\n  repository: acme/shop\n  tag: 1.0.0\n  digest: ""\n',
        {"type": "helmValues"},
        b"1.0.0",
        b"1.1.0",
    ),
    "one place by two fields": (
        b"tag: &tag 1.0.0\nsame: *tag\n",
        {"type": "yaml", "fields": {"tag": "{tag}", "same": "{tag}"}},
        b"1.0.0",
        b"1.1.0",
    ),
    "a list by place and a quoted key": (
        b'"my.app": [{image: "acme/shop:1.0.0"}]\n',
        {"type": "yaml", "fields": {'"my.app"[0].image': "{image}"}},
        b":1.0.0",
        b":1.1.0",
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_only_the_value_changes(name: str) -> None:
    data, how, before, after = GOLDEN[name]
    assert data.count(before) == 1
    assert edit(data, how) == data.replace(before, after)


@pytest.mark.parametrize("tag", ["1.20", "2026", "1e5", "0x1f", "12:30", "null", "yes", "1_0"])
def test_a_tag_that_looks_like_something_else_is_quoted(tag: str) -> None:
    found = edit(b"images:\n- name: acme/shop\n  newTag: v1\n", KUSTOMIZATION, tag)
    assert found.endswith(f'newTag: "{tag}"\n'.encode())


def test_every_entry_of_the_pushed_repository_is_changed() -> None:
    data = (
        b"images:\n- {name: web, newName: acme/shop, newTag: '1'}\n- {name: blog, newTag: '7'}\n"
        b"- {name: worker, newName: acme/shop, newTag: '1'}\n"
    )
    assert edit(data, KUSTOMIZATION) == data.replace(b"'1'", b"'1.1.0'")
    only_web = data.replace(b"'1'", b"'1.1.0'", 1)
    assert edit(data, {**KUSTOMIZATION, "name": "web"}) == only_web


def test_mappings_that_merge_each_other_end() -> None:
    levels = b"".join(
        b"m%d: &m%d {<<: [*m%d, *m%d]}\n" % (n, n, n - 1, n - 1) for n in range(1, 60)
    )
    data = b"m0: &m0 {<<: *m0}\n" + levels + b"image: {<<: *m59}\n"
    with pytest.raises(TargetConflict, match="no repository"):
        edit(data, {"type": "helmValues"})


def test_a_digest_is_written_where_the_file_has_one() -> None:
    data = b"images:\n- name: acme/shop\n  digest: sha256:00\n"
    assert DIGEST.encode() in edit(data, KUSTOMIZATION, digest=DIGEST)
    with pytest.raises(DriverError, match=r"no digest.* `registry.resolve`"):
        edit(data, KUSTOMIZATION)


@pytest.mark.parametrize(
    ("data", "how", "said"),
    [
        (b"a: {{ .Values.x }}:\n", KUSTOMIZATION, "cannot be read as YAML"),
        (b"image:\n\ttag: 1\n", KUSTOMIZATION, "line 2, cannot be read as YAML"),
        (b"\xff\xfe", KUSTOMIZATION, "UTF-8"),
        (b"images: []\n", KUSTOMIZATION, "no entry for docker.io/acme/shop"),
        (b"images:\n- name: acme/shop\n", KUSTOMIZATION, "no `newTag`"),
        (b"image: |\n  acme/shop:1\n", {"type": "helmValues"}, "no single value"),
        (b"tag:\nb: 1\n", {"type": "yaml", "fields": {"tag": "{tag}"}}, "no value yet"),
        (b"a: 1\n---\na: 2\n", {"type": "yaml", "fields": {"a": "{tag}"}}, "2 documents have a"),
        (b"a: 1\n", {"type": "marker", "policy": "x:y"}, "No line of the file"),
    ],
)
def test_what_cannot_be_edited_is_said_with_what_to_do(
    data: bytes, how: dict[str, Any], said: str
) -> None:
    with pytest.raises(DriverError, match=said):
        edit(data, how)


def test_an_image_of_another_repository_needs_to_be_named() -> None:
    data = b"image: acme/blog:1\n"
    with pytest.raises(TargetConflict, match="acme/blog:1"):
        edit(data, {"type": "helmValues"})
    assert edit(data, {"type": "helmValues"}, named=True) == b"image: docker.io/acme/shop:1.1.0\n"
