"""An abort through the whole service, and how fast the pushed version loses its traffic."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.contract.client import Client, eventually
from tests.contract.deployed import Deployed
from tests.contract.shares import Shares
from tests.contract.shop import Shop as Target
from tests.drivers.strategies.colours import REPLICAS, Shop
from tests.support import PROJECT, wait_for, wait_for_end
from webhook_service import Execution, WebhookService

OLD, NEW = "acme/shop:1", "acme/shop:2"
QUOTA = {"metadata": {"name": "full"}, "spec": {"hard": {"pods": str(REPLICAS)}}}


@dataclass(frozen=True)
class Scenario:
    """When a push is aborted.

    Attributes:
        says: what its message has then.
        share: how many of three pods run it then.
        full: whether no further pod has room from then on.
    """

    strategy: Mapping[str, Any]
    says: str
    share: int
    full: bool = False


CANARY = {"type": "canary", "service": "shop", "steps": [{"weight": 30, "pauseSeconds": 600}]}
SCENARIOS = {
    "canary in its pause": Scenario(CANARY, "the next step is in", 1),
    "canary without room": Scenario(CANARY, "the next step is in", 1, full=True),
    "blueGreen after the switch": Scenario(
        {"type": "blueGreen", "service": "shop", "keepSeconds": 600}, "is kept for", REPLICAS
    ),
}


@dataclass(frozen=True)
class Aborted:
    """What came of it: ``seconds`` from the call until no address ran the push."""

    ended: Execution
    shares: list[int]
    seconds: float


def abort(
    service: WebhookService, kubeconfig: Path, client: Client, namespace: str, scenario: Scenario
) -> Aborted:
    """Push to a new Deployment, abort, and watch its Service until the end."""
    Shop(client, kubeconfig, namespace).start()
    deployed = Deployed(service, Target(client, namespace), strategy=dict(scenario.strategy))
    execution = deployed.begin("2")
    wait_for(lambda: scenario.says in service.get_execution(PROJECT, execution).message, 60)
    if scenario.full:
        client.ok("POST", f"/api/v1/namespaces/{namespace}/resourcequotas", QUOTA)
    with Shares(kubeconfig, namespace) as shares:
        time.sleep(0.3)
        asked = shares.now
        service.interventions.abort(PROJECT, execution)
        ended = wait_for_end(service, execution, 60)
        eventually(lambda: shares.seen[-1][1] == {OLD: REPLICAS})
    return Aborted(ended, shares.of(NEW), shares.gone(NEW, asked))
