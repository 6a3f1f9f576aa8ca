from dataclasses import replace

import pytest

from tests.drivers.steps import SHA, push
from webhook_drivers.kubernetes.images.containers import Sought, advice, desired, select
from webhook_drivers.kubernetes.images.workloads import Container
from webhook_service import DriverError, PushEvent, TargetConflict
from webhook_service.testing import sample_context

APP = Container("app", "acme/shop:1")
INIT = Container("migrate", "index.docker.io/acme/shop:1", init=True)
PROXY = Container("proxy", "envoy:1")
BROKEN = Container("broken", "Not An Image")
FOUND = (INIT, APP, PROXY, BROKEN)


def sought_of(event: PushEvent, **mirrors: str) -> Sought:
    return Sought.of(event, sample_context(mirrors=mirrors))


def chosen(
    wanted: tuple[str, ...] = (), named: bool = False, event: PushEvent | None = None
) -> list[str]:
    sought = replace(sought_of(event or push("2")), named=named)
    found = select("Deployment shop/shop", FOUND, sought, wanted)
    return [item.name for item in found]


def test_by_default_all_containers_of_the_repository_are_chosen() -> None:
    assert chosen() == ["migrate", "app"]


@pytest.mark.parametrize("named", [True, False])
def test_nothing_else_is_chosen_even_for_a_named_repository(named: bool) -> None:
    with pytest.raises(
        TargetConflict, match=r"No container of Deployment shop/shop runs docker.io/evil/shop"
    ):
        chosen(named=named, event=push("2", repository="evil/shop"))


def test_the_same_path_at_another_registry_is_another_repository() -> None:
    event = PushEvent(registry="evil.example", repository="acme/shop", tag="2")
    with pytest.raises(TargetConflict, match="evil.example/acme/shop"):
        chosen(event=event)


def test_named_containers_are_the_only_ones_chosen() -> None:
    assert chosen(("app",)) == ["app"]


def test_a_named_container_of_another_repository_needs_a_named_repository() -> None:
    with pytest.raises(TargetConflict, match=r"proxy of .* runs envoy:1, not docker.io/acme/shop"):
        chosen(("app", "proxy"))
    assert chosen(("app", "proxy"), named=True) == ["app", "proxy"]


def test_an_unreadable_image_is_no_match() -> None:
    with pytest.raises(TargetConflict, match="Not An Image"):
        chosen(("broken",))
    assert chosen(("broken",), named=True) == ["broken"]


def test_a_missing_container_is_named_with_those_that_exist() -> None:
    with pytest.raises(
        DriverError, match=r"no container web \(it has migrate, app, proxy, broken\)"
    ):
        chosen(("web", "app"))


@pytest.mark.parametrize(
    ("current", "event", "pin", "after"),
    [
        ("nginx:1", push("2", repository="library/nginx"), True, "nginx:2"),
        ("nginx", push("2", repository="library/nginx"), True, "nginx:2"),
        ("docker.io/nginx:1", push("2", repository="library/nginx"), True, "docker.io/nginx:2"),
        ("acme/shop:1", push("2", SHA), True, f"acme/shop:2@{SHA}"),
        ("acme/shop:1", push("2", SHA), False, "acme/shop:2"),
        (f"acme/shop:1@{SHA}", push("2"), True, "acme/shop:2"),
        (f"acme/shop@{SHA}", push("2"), True, "acme/shop:2"),
        ("acme/shop:1", push(None, SHA), True, f"acme/shop@{SHA}"),
        ("acme/shop:1", push(None, SHA), False, f"acme/shop@{SHA}"),
        ("envoy:1", push("2"), True, "docker.io/acme/shop:2"),
        ("Not An Image", push("2"), True, "docker.io/acme/shop:2"),
    ],
)
def test_images_keep_the_spelling_of_their_repository(
    current: str, event: PushEvent, pin: bool, after: str
) -> None:
    found = desired([Container("app", current)], event, sought_of(event), pin)
    assert found == (Container("app", after),)


def test_a_registry_with_a_port_keeps_it() -> None:
    event = PushEvent(registry="reg.example:5000", repository="shop", tag="2")
    current = Container("app", "reg.example:5000/shop")
    assert desired([current], event, sought_of(event), True)[0].image == "reg.example:5000/shop:2"


def test_a_push_without_tag_and_digest_is_refused() -> None:
    with pytest.raises(DriverError, match="neither a tag nor a digest"):
        desired([APP], push(None), sought_of(push(None)), True)


HUB = {"docker.io": "harbor.corp/dockerhub"}
SHOP_AT_HARBOR = "harbor.corp/dockerhub/acme/shop"


@pytest.mark.parametrize(
    ("current", "repository", "after"),
    [
        (f"{SHOP_AT_HARBOR}:1", "acme/shop", f"{SHOP_AT_HARBOR}:2"),
        ("acme/shop:1", "acme/shop", "acme/shop:2"),
        ("harbor.corp/dockerhub/nginx:1", "library/nginx", "harbor.corp/dockerhub/nginx:2"),
        (
            "harbor.corp/dockerhub/library/nginx:1",
            "library/nginx",
            "harbor.corp/dockerhub/library/nginx:2",
        ),
        ("envoy:1", "acme/shop", f"{SHOP_AT_HARBOR}:2"),
    ],
)
def test_a_container_keeps_its_mirror_and_a_new_image_gets_it(
    current: str, repository: str, after: str
) -> None:
    event = push("2", repository=repository)
    (found,) = desired([Container("app", current)], event, sought_of(event, **HUB), True)
    assert found.image == after


def test_what_runs_under_the_name_of_a_mirror_is_chosen_and_no_other() -> None:
    mirrored = Container("app", f"{SHOP_AT_HARBOR}:1")
    others = (Container("a", "harbor.corp/other/acme/shop:1"), Container("b", "x/acme/shop:1"))
    sought = sought_of(push("2"), **HUB)
    assert select("Deployment shop/shop", (mirrored, *others), sought, ()) == (mirrored,)
    with pytest.raises(TargetConflict):
        select("Deployment shop/shop", others, sought, ())


@pytest.mark.parametrize(
    ("pushed", "image", "mirror"),
    [
        ("docker.io/acme/shop", f"{SHOP_AT_HARBOR}:1", "harbor.corp/dockerhub"),
        ("docker.io/library/nginx", "harbor.corp/hub/nginx", "harbor.corp/hub"),
        ("ghcr.io/acme/shop", "registry.internal:5000/acme/shop:1", "registry.internal:5000"),
    ],
)
def test_a_conflict_with_what_looks_like_a_mirror_says_how_to_keep_it(
    pushed: str, image: str, mirror: str
) -> None:
    registry = pushed.partition("/")[0]
    said = advice(pushed, ["envoy:1", image])
    assert f'say so in `match.mirrors`, as {{"{registry}": "{mirror}"}}' in said
    assert "match.repositories" not in said


@pytest.mark.parametrize(
    ("pushed", "image"),
    [
        ("docker.io/acme/shop", "harbor.corp/acme/other:1"),
        ("docker.io/acme/shop", "harbor.corp/hub/xacme/shop:1"),
        ("evil.example/acme/shop", "acme/shop:1"),
        ("docker.io/acme/shop", "Not An Image"),
    ],
)
def test_no_mirror_is_advised_where_none_is_to_be_seen(pushed: str, image: str) -> None:
    assert advice(pushed, [image]) == ""
