"""An abort through the whole service: the pushed version loses its traffic within seconds."""

from pathlib import Path

import pytest

from tests.contract.aborting import OLD, SCENARIOS, abort
from tests.contract.client import Client
from tests.contract.conftest import Cluster
from tests.contract.deployed import serving


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_share_of_the_push_never_grows_and_is_gone_within_seconds(
    cluster: Cluster, client: Client, namespace: str, tmp_path: Path, name: str
) -> None:
    scenario = SCENARIOS[name]
    with serving(cluster.kubeconfig, tmp_path) as service:
        found = abort(service, cluster.kubeconfig, client, namespace, scenario)
    assert (found.ended.state, found.ended.reason) == ("cancelled", "aborted"), found.ended.message
    assert OLD in found.ended.message
    assert found.shares[0] == scenario.share == max(found.shares)
    assert found.shares == sorted(found.shares, reverse=True)
    assert found.seconds < 5
