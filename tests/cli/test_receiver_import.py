"""``receiver import``: twenty receivers of every driver of v1.6 move in one command."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.cli.conftest import PROJECT, Run, RunJson
from tests.host.v16_drivers import v16_cluster
from webhook_service.model.delivery import Call
from webhook_service.service import WebhookService
from webhook_service.testing.samples import dockerhub_push

SCALE = {"action": "up", "amount": 1, "min": 1, "max": 4}
UPGRADE = {"serviceSelector": {"app": "shop"}, "tag": "1", "batchSize": 1, "intervalMillis": 2}
CONFIGS: list[tuple[str, dict[str, Any]]] = [
    ("scaleService", {**SCALE, "serviceId": "1s7"}),
    ("scaleHost", {**SCALE, "hostSelector": {"foo": "bar"}}),
    ("serviceUpgrade", {**UPGRADE, "payloadFormat": "docker", "image": "acme/shop"}),
    ("forwardPost", {"projectId": PROJECT, "serviceName": "pipeline-server", "port": "60080"}),
    ("serviceUpgrade", {**UPGRADE, "payloadFormat": "alicloud", "addressType": "registry-vpc"}),
]


@pytest.fixture(autouse=True)
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with v16_cluster() as fake:
        path = str(fake.write_kubeconfig(tmp_path / "kubeconfig"))
        monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", path)
        clusters = json.dumps({"prod": {"kubeconfig": path}})
        monkeypatch.setenv("WEBHOOK_SERVICE_CLUSTERS", clusters)
        yield


def key(number: int) -> str:
    return f"{number:040d}"


def answered(number: int, driver: str, config: dict[str, Any], **more: Any) -> dict[str, Any]:
    url = f"http://old/v1-webhooks/endpoint?key={key(number)}&projectId={PROJECT}"
    own = {"driver": driver, f"{driver}Config": {"type": driver, **config}}
    return {"id": f"1go{number}", "name": f"hook {number}", "url": url, **own, **more}


def results(found: Any) -> list[str]:
    return [row["result"] for row in found["data"]]


def imported(run: Run, items: list[Any], *words: str) -> tuple[int, list[str]]:
    done = run("receiver", "import", "-", "-o", "json", *words, stdin=json.dumps({"data": items}))
    return done.exit_code, results(json.loads(done.stdout))


TWENTY = [answered(number, *CONFIGS[number % 5]) for number in range(20)]
MAP = ("--map", f"1s7={PROJECT}/web")


def test_twenty_receivers_move_with_one_dry_run_and_one_command(
    run: Run, run_json: RunJson
) -> None:
    assert imported(run, TWENTY, *MAP, "--dry-run") == (0, ["would be made"] * 20)
    assert run_json("receiver", "list")["data"] == []
    assert imported(run, TWENTY, *MAP) == (0, ["made"] * 20)
    assert imported(run, TWENTY, *MAP) == (0, ["there already"] * 20)
    assert len(run_json("receiver", "list")["data"]) == 20
    with WebhookService.open(run=False) as service:
        call = Call(dockerhub_push("acme/shop", "1"))
        states = [service.accept(PROJECT, key(number), call).state for number in (0, 1, 2, 3)]
    assert states == ["accepted"] * 4


def test_each_receiver_is_made_or_its_line_says_why_not(run: Run) -> None:
    rancher = {"serviceSelector": {"io.rancher.stack_service.name": "shop/web"}, "tag": "1"}
    items = [
        answered(1, "scaleService", {**SCALE, "serviceId": "1s9"}),
        answered(2, "serviceUpgrade", rancher),
        answered(3, "serviceUpgrade", {**UPGRADE, "serviceSelector": {}}),
        answered(4, "later", {}),
        answered(5, *CONFIGS[2], name="hook 6"),
        answered(6, *CONFIGS[2]),
        {"name": "no url", "driver": "serviceUpgrade", "serviceUpgradeConfig": UPGRADE},
        answered(8, *CONFIGS[2], url=f"http://old/?key={key(8)}&projectId=1a9"),
    ]
    code, lines = imported(run, items)
    assert code == 1
    assert lines[0] == "needs --map 1s9=NAMESPACE/NAME"
    assert "io.rancher.stack_service.name=shop/web can never be a label" in lines[1]
    assert lines[2].startswith("cannot: serviceSelector: without a label it would choose every")
    assert lines[3] == "cannot: Invalid driver later"
    assert lines[4] == "made" and lines[5].startswith("cannot: ") and "hook 6" in lines[5]
    assert lines[6].startswith("made, with a new URL")
    assert "names the project 1a9: import it with -p 1a9" in lines[7]


UUID = "a5b1f0de-4c1f-4b2a-9d3e-0123456789ab"
SIGNED = jwt.encode({"uuid": UUID, "projectId": PROJECT, "driver": "serviceUpgrade"}, "k" * 32)
STORED = {"config": UPGRADE, "driver": "serviceUpgrade", "url": f"http://old/?token={SIGNED}"}
FORK = {"namespace": PROJECT, "name": "shop", "type": "deploymentUpdate", "env": ""}
TEMPLATE = {**SCALE, "hostTemplateId": "1ht1"}


@pytest.mark.parametrize(
    ("item", "line"),
    [
        (
            {"name": "oldest", "key": UUID, "kind": "webhookReceiver", "resourceData": STORED},
            "made; its old URL needs WEBHOOK_SERVICE_V16_PUBLIC_KEY_FILE",
        ),
        (answered(1, "deploymentUpdate", FORK), "made"),
        (answered(1, "scaleHost", TEMPLATE), "cannot: HostSelector not provided"),
        (
            answered(1, "serviceUpgrade", {**UPGRADE, "serviceSelector": {"app": "none"}}),
            "cannot: There are no workloads of namespace 1a5 with app=none. Create one, or correct "
            "the labels.",
        ),
        ({"name": "", "driver": "serviceUpgrade"}, "cannot: Name not provided"),
    ],
)
def test_the_objects_that_people_have_are_made_or_refused_in_words(
    run: Run, item: dict[str, Any], line: str
) -> None:
    assert imported(run, [item])[1] == [line]


def test_a_dry_run_tells_of_a_key_that_another_project_has(run: Run) -> None:
    assert imported(run, TWENTY[2:3]) == (0, ["made"])
    for words in (["--dry-run"], []):
        code, (line,) = imported(run, TWENTY[2:3], "-p", "1a9", *words)
        assert code == 1 and line == "cannot: This key belongs to a receiver already."


def test_receivers_are_made_for_a_cluster_by_its_name(run: Run, run_json: RunJson) -> None:
    words = ("--cluster", "prod", *MAP)
    assert imported(run, TWENTY[:4], *words) == (0, ["made"] * 4)
    found = run_json("receiver", "list")["data"]
    assert [item[f"{item['driver']}Config"]["cluster"] for item in found] == ["prod"] * 4


def test_names_are_read_from_a_file(run: Run, tmp_path: Path) -> None:
    names = tmp_path / "names"
    names.write_text(f"# services\n\n1s7 = {PROJECT}/web\n")
    assert imported(run, TWENTY[:1], "--map", f"@{names}") == (0, ["made"])


@pytest.mark.parametrize("word", ["1s7", "=x", "1s7="])
def test_a_name_that_is_no_pair_is_refused(run: Run, word: str) -> None:
    result = run("receiver", "import", "-", "--map", word, stdin="[]")
    assert result.exit_code == 2 and "is not NAME=VALUE" in result.stderr


def test_a_url_of_v1_6_can_be_given_where_one_receiver_is_made(
    run_json: RunJson,
) -> None:
    url = f"https://rancher.example.com/v1-webhooks/endpoint?key={key(1)}&projectId={PROJECT}"
    words = ("receiver", "create", "--name", "shop", "--driver", "stub", "--key-from-v16", url)
    assert f"key={key(1)}" in run_json(*words)["url"]
