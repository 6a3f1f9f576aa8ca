import pytest

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidConfig
from webhook_service.match.repositories import parse_rule


def event(image: str) -> PushEvent:
    registry, _, repository = image.partition("/")
    return PushEvent(registry=registry, repository=repository, tag="1")


@pytest.mark.parametrize(
    ("pattern", "home", "image"),
    [
        ("acme/shop", "docker.io", "docker.io/acme/shop"),
        ("nginx", "docker.io", "docker.io/library/nginx"),
        ("docker.io/nginx", None, "docker.io/library/nginx"),
        ("index.docker.io/acme/shop", None, "docker.io/acme/shop"),
        ("acme/*", "docker.io", "docker.io/acme/shop"),
        ("acme/sh*p", "docker.io", "docker.io/acme/shop"),
        ("**", None, "registry.example/a/b/c"),
        ("acme/**", None, "registry.example/acme/a/b"),
        ("registry.example:5000/acme/shop", None, "registry.example:5000/acme/shop"),
        ("REGISTRY.example/acme/shop", None, "registry.example/acme/shop"),
        ("acme/shop", None, "registry.example/acme/shop"),
        ("localhost/shop", None, "localhost/shop"),
    ],
)
def test_a_rule_covers_its_repositories(pattern: str, home: str | None, image: str) -> None:
    assert parse_rule(pattern, home).matches(event(image))


@pytest.mark.parametrize(
    ("pattern", "home", "image"),
    [
        ("acme/shop", "docker.io", "evil.example/acme/shop"),
        ("acme/shop", "docker.io", "docker.io/acme/shop2"),
        ("acme/*", "docker.io", "docker.io/acme/team/shop"),
        ("acme/*", "docker.io", "docker.io/evil/shop"),
        ("*", "docker.io", "docker.io/acme/shop"),
        ("registry.example/acme/shop", None, "registry.example:5000/acme/shop"),
        ("acme/**", None, "docker.io/evil/acme/shop"),
    ],
)
def test_a_rule_covers_no_other_repository(pattern: str, home: str | None, image: str) -> None:
    assert not parse_rule(pattern, home).matches(event(image))


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("", "1 to 512"),
        ("a" * 513, "1 to 512"),
        ("*" * 9, "at most 8"),
        ("acme/shop:1.2", "match.tags"),
        ("acme/shop@sha256:abc", "match.tags"),
        ("acme/Shop", "lower case"),
    ],
)
def test_a_rule_that_cannot_work_says_what_to_write(pattern: str, problem: str) -> None:
    with pytest.raises(InvalidConfig, match=problem):
        parse_rule(pattern, None)


def test_only_a_rule_with_a_host_names_a_repository() -> None:
    assert parse_rule("acme/shop", "docker.io").fixes_host
    assert parse_rule("registry.example/acme/shop", None).fixes_host
    assert not parse_rule("acme/shop", None).fixes_host
