import pytest

from webhook_service.errors import InvalidConfig
from webhook_service.images import mirrored, parse_repository
from webhook_service.match.mirrors import parse_mirrors
from webhook_service.testing import sample_context

HARBOR = "harbor.corp/dockerhub"


def test_registries_get_one_spelling() -> None:
    said = {"index.docker.io": "Harbor.Corp:8443/dockerhub/", " ghcr.io ": "mirror.corp"}
    found = {"docker.io": "harbor.corp:8443/dockerhub", "ghcr.io": "mirror.corp"}
    assert parse_mirrors(said) == found


@pytest.mark.parametrize(
    ("mirrors", "says"),
    [
        ({"": HARBOR}, "is no registry"),
        ({"docker": HARBOR}, "is no registry"),
        ({"docker.io": "dockerhub"}, "is no registry"),
        ({"docker.io": "harbor.corp/Hub"}, "is no registry"),
        ({"docker.io": "harbor.corp/hub:1"}, "is no registry"),
        ({"docker.io": "https://harbor.corp/hub"}, "is no registry"),
        ({"docker.io": "harbor.corp/" + "a" * 300}, "is no registry"),
        ({"docker.io": "index.docker.io"}, "no mirror of itself"),
        ({"docker.io": HARBOR, "index.docker.io": "other.corp"}, "has two mirrors"),
    ],
)
def test_what_is_no_registry_is_refused(mirrors: dict[str, str], says: str) -> None:
    with pytest.raises(InvalidConfig, match=says):
        parse_mirrors(mirrors)


@pytest.mark.parametrize(
    ("pushed", "names"),
    [
        ("docker.io/acme/shop", (f"{HARBOR}/acme/shop",)),
        ("nginx", (f"{HARBOR}/library/nginx", f"{HARBOR}/nginx")),
        ("docker.io/acmeX/shop".lower(), (f"{HARBOR}/acmex/shop",)),
        ("quay.io/team/app", ("harbor.corp/team/app",)),
        ("quay.io/teams/app", ()),
        ("quay.io/one/image", ("harbor.corp/renamed",)),
        ("ghcr.io/acme/shop", ()),
    ],
)
def test_the_longest_prefix_counts_at_whole_components(pushed: str, names: tuple[str, ...]) -> None:
    mirrors = parse_mirrors(
        {
            "docker.io": HARBOR,
            "quay.io/team": "harbor.corp/team",
            "quay.io/one/image": "harbor.corp/renamed",
        }
    )
    image = parse_repository(pushed)
    assert mirrored(image, mirrors) == names
    assert sample_context(mirrors=dict(mirrors)).pulled_as(image) == names
