"""The page about clusters says what works."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.docs.test_docs import ROOT, blocks
from webhook_drivers.kubernetes.api.admission import CONTAINERS, SPECS
from webhook_drivers.kubernetes.api.clusters import KubernetesOptions
from webhook_drivers.kubernetes.api.grants import Grants
from webhook_service import DriverError
from webhook_service.settings import load_settings

PAGE = (ROOT / "docs/clusters.md").read_text()


def test_the_settings_shown_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (text,) = blocks(PAGE, "toml")
    file = tmp_path / "settings.toml"
    file.write_text(text)
    monkeypatch.setenv("WEBHOOK_SERVICE_CONFIG", str(file))
    options = KubernetesOptions.model_validate(load_settings().driver_options)
    assert options.find("prod").account == "deployer"
    assert options.find("here").in_cluster
    with pytest.raises(DriverError, match="name one of here, prod"):
        options.find("moon")
    grants = Grants(options.namespaces)
    assert grants.of("shop", "prod", shared=True, default=False).allows("shop-2")
    assert grants.of("search", "prod", shared=True, default=False).allows("search")
    assert not grants.of("search", "here", shared=True, default=False).allows("search")
    assert grants.of("anyone", "here", shared=True, default=False).allows("sandbox")


def test_the_command_shown_prints_manifests() -> None:
    (text,) = blocks(PAGE, "sh")
    command = shlex.split(text.replace("\\\n", " ").partition("|")[0])
    done = subprocess.run([sys.executable, *command[1:]], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    kinds = [item["kind"] for item in json.loads(done.stdout)["items"]]
    assert kinds == ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]


def test_the_role_shown_is_a_manifest() -> None:
    (text,) = blocks(PAGE, "yaml")
    role = yaml.safe_load(text)
    assert (role["kind"], role["rules"][0]["verbs"]) == ("ClusterRole", ["impersonate"])
    assert re.search(role["rules"][0]["resourceNames"][0], blocks(PAGE, "toml")[0])


def test_the_table_says_what_the_policy_leaves_open() -> None:
    section = PAGE.partition("## A policy for the cluster")[2]
    rows = re.findall(r"^\| (.*) \| (.*) \|$", section, re.MULTILINE)
    said = {
        (kind, field)
        for what, kinds in rows
        for field in {*re.findall(r"`(\w+)`", what)} - {"type", "maxSurge", "maxUnavailable"}
        for kind in (SPECS if kinds == "all four" else kinds.split(", "))
        if field not in CONTAINERS
    }
    assert said == {
        (kind, field)
        for kind, fields in SPECS.items()
        for field in {*fields} - {"template", "jobTemplate"}
    }
