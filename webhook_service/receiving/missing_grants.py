"""What operators have to grant before several projects can share a service.

Releases before grants let every project touch every namespace. Who runs several projects on such
an installation is told at the start what its receivers use, as a setting to paste.
"""

from __future__ import annotations

import json
from collections import defaultdict

from webhook_service.driver import Context
from webhook_service.errors import InvalidConfig, WebhookServiceError
from webhook_service.plugins.boundary import guarded
from webhook_service.plugins.instances import Drivers
from webhook_service.settings import Settings
from webhook_service.store.endpoints.receivers import Target
from webhook_service.store.store import Store

SETTING = "WEBHOOK_SERVICE_NAMESPACES"
DEFAULT = "default"


def missing_grants(settings: Settings, store: Store, drivers: Drivers) -> str | None:
    """What to tell the operator; None if nothing is missing."""
    if settings.namespaces or not store.projects.shared():
        return None
    default = settings.kube_context or DEFAULT
    used = defaultdict[str, set[str]](set)
    for target in store.receivers.targets():
        used[target.project].update(_places(target, drivers))
    if all(places <= {f"{default}/{project}"} for project, places in used.items()):
        return None
    for token in store.tokens.list():
        if token.revoked is None:
            used[token.project].add(f"{default}/{token.project}")
    grants = {project: sorted(used[project]) for project in sorted(used) if used[project]}
    # Inside the quotes of a shell, which end at any other quote.
    setting = json.dumps(grants).replace("'", "\\u0027")
    return (
        f"Several projects use this service, and {SETTING} is not set: each may touch only the "
        "namespace of its own name in the default cluster, and executions elsewhere fail with the "
        "reason namespace_not_granted. To grant all that the stored receivers use, start with\n"
        f"{SETTING}='{setting}'\n"
        "and then repeat what failed: webhook-service execution replay --state failed "
        "--project PROJECT"
    )


def _places(target: Target, drivers: Drivers) -> set[str]:
    """The namespaces that a receiver uses; of one that cannot be used now none are known."""
    context = Context.without_execution(target.project, target.receiver, shared=True)
    try:
        driver = drivers.get(target.driver)
        with guarded(f"The driver {target.driver}", InvalidConfig):
            names = driver.targets(driver.Config.model_validate(target.config), context)
    except WebhookServiceError:
        return set()
    # A cluster's name may have slashes, as those of Amazon's have.
    return {name.rsplit("/", 2)[0] for name in names if name.count("/") >= 3}
