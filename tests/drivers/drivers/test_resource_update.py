"""resourceUpdate takes configs that can work, and says of the others what to change."""

from typing import Any

import pytest
from pydantic import ValidationError

from tests.drivers.steps import SHA, context, push
from tests.servers.deployers import ARGO_KUSTOMIZE, KNATIVE
from webhook_drivers.kubernetes.drivers.resource_update import ResourceUpdate, ResourceUpdateConfig
from webhook_drivers.kubernetes.fields.push import FieldPush
from webhook_drivers.pushed import WrittenImage

ARGO: dict[str, Any] = {
    "namespace": "argocd",
    "name": "shop",
    "kind": "Application",
    "fields": {"spec.source.kustomize.images[{image}]": "{image}"},
}


def field_push(digest: str | None = SHA, pin: bool = True) -> FieldPush:
    config = ResourceUpdateConfig.model_validate(ARGO | {"pin": pin})
    pushed = WrittenImage(push("2", digest), context(1), config.pin)
    return FieldPush(address=config.address, fields=config.fields, pushed=pushed)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"kind": "Pipeline"}, "Pipeline is none of Application"),
        ({"apiVersion": "a.b/v1"}, "needs both"),
        ({"apiVersion": "apps/v1", "plural": "deployments"}, "is of Kubernetes itself"),
        ({"fields": {"metadata.labels": "{tag}"}}, "metadata is not for pushes"),
        ({"fields": {"spec.image": "latest"}}, "has no value of the push"),
        ({"fields": {"spec.image": "{nothing}"}}, "is no value of a push"),
        ({"fields": {}}, "at least 1"),
    ],
)
def test_a_config_that_cannot_work_is_refused(more: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        ResourceUpdateConfig.model_validate(ARGO | more)


@pytest.mark.parametrize(
    ("digest", "pin", "suffix"), [(SHA, True, f":2@{SHA}"), (SHA, False, ":2"), (None, True, ":2")]
)
def test_an_image_keeps_its_name_and_the_entries_beside_it(
    digest: str | None, pin: bool, suffix: str
) -> None:
    found = ARGO_KUSTOMIZE.manifest("argocd")
    push = field_push(digest, pin)
    patch = push.patch(found, push.wanted(found), {})
    images = ["acme/other:7", f"shop=acme/shop{suffix}"]
    assert patch["spec"] == {"source": {"kustomize": {"images": images}}}


def test_a_patch_needs_the_version_that_was_read() -> None:
    found = ARGO_KUSTOMIZE.manifest("argocd")
    found["metadata"]["resourceVersion"] = "17"
    push = field_push()
    assert push.patch(found, push.wanted(found), {})["metadata"]["resourceVersion"] == "17"


def test_receivers_of_kinds_with_one_name_have_slots_of_their_own() -> None:
    driver = ResourceUpdate({})
    core = ResourceUpdateConfig.model_validate(KNATIVE.config("shop"))
    other = core.model_copy(update={"api_version": "example.com/v1"})
    assert driver.slot(core, push("2")) != driver.slot(other, push("2"))
    driver.close()
