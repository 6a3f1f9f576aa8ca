import pytest

from webhook_service.images import (
    Image,
    InvalidImage,
    is_digest,
    is_tag,
    parse_image,
    parse_repository,
)

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "image"),
    [
        ("nginx", Image("docker.io", "library/nginx")),
        ("nginx:1.27", Image("docker.io", "library/nginx", "1.27")),
        ("acme/shop:1.2.3", Image("docker.io", "acme/shop", "1.2.3")),
        ("index.docker.io/acme/shop", Image("docker.io", "acme/shop")),
        ("registry-1.docker.io/acme/shop", Image("docker.io", "acme/shop")),
        ("docker.io/nginx", Image("docker.io", "library/nginx")),
        ("registry.example:5000/a/b/c:v1", Image("registry.example:5000", "a/b/c", "v1")),
        ("localhost/shop:x", Image("localhost", "shop", "x")),
        ("127.0.0.1:5000/shop:x", Image("127.0.0.1:5000", "shop", "x")),
        (f"acme/shop:1@{DIGEST}", Image("docker.io", "acme/shop", "1", DIGEST)),
        (f"acme/shop@{DIGEST}", Image("docker.io", "acme/shop", None, DIGEST)),
    ],
)
def test_references_are_read_as_docker_reads_them(text: str, image: Image) -> None:
    assert parse_image(text) == image


@pytest.mark.parametrize(
    "text",
    ["", "a/UPPER", "a b", "acme/shop:", "acme/shop@sha256:short", ":tag", "a/b\n", "x" * 5000],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(InvalidImage):
        parse_image(text)


def test_a_written_reference_reads_back_equal() -> None:
    image = Image("docker.io", "acme/shop", "1.2.3", DIGEST)
    assert parse_image(str(image)) == image


def test_a_repository_with_a_tag_is_refused() -> None:
    with pytest.raises(InvalidImage, match="repository alone"):
        parse_repository("acme/shop:1")


def test_digests_and_pseudo_tags_are_no_tags() -> None:
    assert is_tag("1.2.3-alpine_1")
    assert not is_tag(DIGEST)
    assert not is_tag("a" * 129)
    assert not is_tag("-x")
    assert is_digest(DIGEST)
    assert not is_digest("sha256:XYZ")
