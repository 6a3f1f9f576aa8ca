"""The page Settings: which plug-ins are ready, and which clusters answer, and why others do not."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.console.site import PROJECT, ConsoleSite, console_site, receiver_body
from tests.support import wait_for
from webhook_service.model.receiver import Receiver
from webhook_service.plugins.discovery import Plugin

OTHER = "search"
NOWHERE = """apiVersion: v1
kind: Config
current-context: away
clusters: [{name: away, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: nobody, user: {}}]
contexts: [{name: away, context: {cluster: away, user: nobody}}]
"""


@pytest.fixture(scope="module")
def away(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleSite]:
    """A site of two projects, each with a cluster of its own that does not answer."""
    folder: Path = tmp_path_factory.mktemp("away")
    file = folder / "both"
    clusters = {"north": {"kubeconfig": file}, "south": {"kubeconfig": file}}
    everywhere = {PROJECT: ["default/*", "north/*"], OTHER: ["default/*", "south/*"]}
    with console_site(folder, clusters=clusters, namespaces=everywhere) as site:
        site.cluster.write_kubeconfig(file)
        made = [add(site, PROJECT, "north"), add(site, OTHER, "south")]
        file.write_text(NOWHERE)
        for receiver in made:
            wait_for_nobody(site, receiver)
        yield site


def add(site: ConsoleSite, project: str, cluster: str) -> Receiver:
    body = receiver_body(f"to {cluster}", match={"repositories": ["acme/shop"]})
    body["deploymentUpdateConfig"]["cluster"] = cluster
    return site.service.create_receiver(project, body)


def wait_for_nobody(site: ConsoleSite, receiver: Receiver) -> None:
    """A push whose execution waits for the cluster."""
    service, project = site.service, receiver.project
    (pushed,) = service.interventions.push(project, receiver.id, "acme/shop:1.9.0").executions
    assert wait_for(lambda: service.get_execution(project, pushed).state == "retrying")


def rows_of(shown: str) -> dict[str, str]:
    """The text of each row of the clusters' table, by the first word in it."""
    table = shown.partition('aria-label="Table of clusters"')[2].partition("</table>")[0]
    texts = [" ".join(re.sub("<[^>]*>", " ", row).split()) for row in table.split("<tr>")[2:]]
    return {text.split()[0]: text for text in texts}


def test_a_cluster_that_does_not_answer_says_since_when_and_what_is_tried_next(
    away: ConsoleSite,
) -> None:
    with away.client() as owner:
        rows = rows_of(owner.get("/settings").text)
    assert rows.keys() == {"north", "(none"}
    assert "does not answer 1 waiting" in rows["north"] and "to north" in rows["north"]
    since, next_try = re.findall(r"\d{4}-\d\d-\d\d [\d:]{8} UTC| now ", rows["north"])
    assert next_try == " now " or since <= next_try
    assert "north" in rows["north"].partition(next_try)[2], "the last words of the fault"
    assert "nothing waits" in rows["(none"] and "shop" in rows["(none"]


def test_a_tenant_sees_nothing_of_the_clusters_of_another(away: ConsoleSite) -> None:
    with away.client(project=OTHER) as owner:
        shown = owner.get("/settings").text
        assert owner.get(f"/settings?projectId={PROJECT}").status_code == 404
    assert rows_of(shown).keys() == {"south"}
    assert "north" not in shown


def test_a_plug_in_without_its_extra_says_how_to_install_it(
    site: ConsoleSite, owner: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaders = site.service.drivers.plugins._loaders
    lacking: Plugin[Any] = Plugin("nomad", "webhook-nomad", "1.0", lack="it needs nomad: buy it.")
    torn: Plugin[Any] = Plugin("torn", "webhook-torn", "1.0", error="it does not load.")
    monkeypatch.setitem(loaders, "nomad", lambda: lacking)
    monkeypatch.setitem(loaders, "torn", lambda: torn)
    shown = owner.get("/settings").text
    assert "<b>nomad</b> of webhook-nomad 1.0 is incomplete: it needs nomad: buy it." in shown
    assert "<b>torn</b> of webhook-torn 1.0 is broken: it does not load." in shown
    ready = shown.partition("<dt>drivers</dt>")[2].partition("</dd>")[0]
    assert "jobRun" in ready and "nomad" not in ready and "torn" not in ready
