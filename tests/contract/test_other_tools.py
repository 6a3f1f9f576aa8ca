"""What else deploys a workload is named: at creation, in a simulation, and where it takes over."""

from typing import Any

import pytest

from tests.contract.client import MERGE, STRATEGIC
from tests.contract.shop import Shop
from tests.drivers.steps import config, context, push, run_to_end
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_service import TargetConflict, Unchanged, Wait
from webhook_service.testing import sample_context

ARGO_CD = {"argocd.argoproj.io/tracking-id": "web:apps/Deployment:shop/shop"}


def set_image(shop: Shop, image: str, manager: str) -> None:
    template = {"spec": {"containers": [{"name": "app", "image": image}]}}
    shop.client.ok(
        "PATCH",
        shop.path(),
        {"spec": {"template": template}},
        STRATEGIC,
        query={"fieldManager": manager},
    )


def mark(shop: Shop, **metadata: Any) -> None:
    shop.client.ok("PATCH", shop.path(), {"metadata": metadata}, MERGE)


def taken_back(driver: DeploymentUpdate, shop: Shop, manager: str) -> str:
    """What a push says that another tool takes back in the middle of its rollout."""
    settings = config(shop.namespace)
    first = driver.execute(settings, push("2"), context(1))
    assert isinstance(first, Wait)
    set_image(shop, "acme/shop:1", manager)
    with pytest.raises(TargetConflict) as caught:
        driver.execute(settings, push("2"), context(1, state=first.state))
    return caught.value.message


def test_a_receiver_is_told_what_deploys_its_workload(driver: DeploymentUpdate, shop: Shop) -> None:
    shop.create()
    settings = config(shop.namespace)
    assert driver.warnings(settings, sample_context()) == ()
    mark(shop, annotations=ARGO_CD)
    driver.validate(settings, sample_context())
    (told,) = driver.warnings(settings, sample_context())
    assert told.startswith(f"Deployment {shop.namespace}/shop is managed by Argo CD application we")
    assert "commit the image to Git" in told


def test_a_conflict_names_who_took_the_image_back(driver: DeploymentUpdate, shop: Shop) -> None:
    shop.create()
    told = taken_back(driver, shop, "kubectl-set")
    assert "was changed by somebody else (kubectl-set) during the rollout" in told
    assert told.endswith("it runs acme/shop:1 now. To deploy it, push it again.")


def test_nobody_is_told_to_push_again_against_a_tool_that_takes_it_back(
    driver: DeploymentUpdate, shop: Shop
) -> None:
    shop.create()
    mark(shop, annotations=ARGO_CD)
    told = taken_back(driver, shop, "argocd-controller")
    assert "somebody else (argocd-controller)" in told
    assert "pushing it again is in vain, for Argo CD application web sets the image back" in told
    held = driver.execute(config(shop.namespace), push("2"), context(2, identity="push-1"))
    assert isinstance(held, Unchanged)
    assert "was taken back" in held.reason
    assert "(argocd-controller)" in held.reason
    assert "in vain" in held.reason


def test_after_a_finished_rollout_the_replay_says_who_took_it_back(
    driver: DeploymentUpdate, shop: Shop
) -> None:
    shop.create()
    run_to_end(driver, config(shop.namespace), push("2"), context(1))
    set_image(shop, "acme/shop:1", "helm")
    held = driver.execute(config(shop.namespace), push("2"), context(2, identity="push-1"))
    assert isinstance(held, Unchanged)
    assert "by hand (helm)" in held.reason
