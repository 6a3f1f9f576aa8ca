"""Files that change while the service runs: a new authority, another server, another token."""

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.drivers.faulty import Handler, faulty, kubeconfig
from tests.support import wait_for
from webhook_drivers.kubernetes.api.clusters import Clusters
from webhook_drivers.kubernetes.api.config_files import ConfigFiles, kubeconfigs, referenced
from webhook_drivers.kubernetes.api.credential_plugins import spoken
from webhook_drivers.kubernetes.api.resources import Address
from webhook_drivers.kubernetes.images.workloads import WORKLOADS
from webhook_service import DriverError, Retry

SHOP = Address(WORKLOADS["Deployment"].resource, "shop", "shop")


def answer(handler: Handler) -> None:
    handler.reply(200, b"{}")


def change(path: Path, **parts: Any) -> None:
    """Write a kubeconfig's cluster or user anew."""
    config = json.loads(path.read_text())
    for part, value in parts.items():
        config[f"{part}s"][0][part] = value
    path.write_text(json.dumps(config))


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    with faulty(answer) as (url, requests):
        path = kubeconfig(tmp_path, main=url)
        yield path


def test_another_server_in_the_kubeconfig_is_used_at_once(tmp_path: Path) -> None:
    with faulty(answer) as (old, before), faulty(answer) as (new, after):
        path = kubeconfig(tmp_path, main=old)
        with closing(Clusters({"kubeconfig": str(path)})) as clusters:
            clusters.get().get(SHOP)
            change(path, cluster={"server": new})
            clusters.get().get(SHOP)
            assert (len(before), len(after)) == (1, 1)
            assert clusters.get().transport is clusters.get().transport


@pytest.mark.parametrize("field", ["certificate-authority", "tokenFile"])
def test_a_file_that_a_kubeconfig_names_is_watched(path: Path, field: str) -> None:
    named = path.parent / "named"
    named.write_text("one")
    part = "cluster" if field.startswith("cert") else "user"
    content = json.loads(path.read_text())[f"{part}s"][0][part]
    change(path, **{part: {**content, field: "named"}})
    with closing(Clusters({"kubeconfig": str(path)})) as clusters:
        first = clusters.get().transport
        assert clusters.get().transport is first
        (path.parent / "new").write_text("two")
        os.replace(path.parent / "new", named)
        assert clusters.get().transport is not first


def test_a_kubeconfig_that_is_half_written_harms_no_connection(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = path.read_text()
    with closing(Clusters({"kubeconfig": str(path)})) as clusters:
        assert clusters.get().get(SHOP) == {}
        path.write_text(whole[:20])
        for _ in range(3):
            assert clusters.get().get(SHOP) == {}
        assert caplog.text.count("keeps what it was connected by") == 1
        first = clusters.get().transport
        path.write_text(whole)
        assert clusters.get().get(SHOP) == {} and clusters.get().transport is not first


def test_values_are_trimmed_as_kubectl_does(tmp_path: Path) -> None:
    with faulty(answer) as (url, requests):
        path = kubeconfig(tmp_path, main=f"{url}/\n")
        change(path, user={"token": "s3cret\n"})
        with closing(Clusters({"kubeconfig": str(path)})) as clusters:
            assert clusters.get().get(SHOP) == {}
            (tmp_path / "token").write_text("from-a-file\n")
            change(path, user={"tokenFile": "token"})
            assert clusters.get().get(SHOP) == {}
    sent = [request.headers["Authorization"] for request in requests]
    assert sent == ["Bearer s3cret", "Bearer from-a-file"]
    assert requests[0].path.startswith("/apis/apps/v1/")


def failing_plugin(folder: Path, words: str, code: int = 1) -> dict[str, Any]:
    plugin = folder / "plugin"
    plugin.write_text(
        f"#!{sys.executable}\nimport sys\nsys.stderr.write({words!r})\nsys.exit({code})\n"
    )
    plugin.chmod(0o700)
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin)}
    return {"exec": {**run, "interactiveMode": "Never"}}


@pytest.mark.parametrize("threads", [True, False], ids=["plain log", "log of the host"])
def test_a_plug_in_that_fails_says_why_and_keeps_its_secrets(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, threads: bool
) -> None:
    monkeypatch.setattr(logging, "logThreads", threads)
    words = "Error: the SSO session has expired; token=abc123 of https://me:pw1@sso.example\n"
    change(path, user=failing_plugin(path.parent, words))
    with closing(Clusters({"kubeconfig": str(path)})) as clusters:
        with pytest.raises(Retry) as caught:
            clusters.get().get(SHOP)
    said = caught.value.message
    assert caught.value.reason == "plugin_failed"
    assert said.startswith("The credential plug-in of cluster default failed: process returned 1.")
    assert "the SSO session has expired" in said
    for secret in ("abc123", "pw1"):
        assert secret not in said + caplog.text


def test_a_plug_in_that_hangs_holds_nobody_up_and_is_asked_again_when_it_has_ended(
    path: Path,
) -> None:
    begun, let_go = path.parent / "begun", path.parent / "let-go"
    plugin = path.parent / "plugin"
    plugin.write_text(HANGING.format(python=sys.executable, begun=begun, let_go=let_go))
    plugin.chmod(0o700)
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin)}
    change(path, user={"exec": {**run, "interactiveMode": "Never"}})
    with closing(Clusters({"kubeconfig": str(path)}, plugin_seconds=3)) as clusters:
        with pytest.raises(Retry, match="cluster default did not answer in 3 s: run it by hand"):
            clusters.get()
        for _ in range(3):
            with pytest.raises(Retry, match="still does not answer") as caught:
                clusters.get()
        assert caught.value.reason == "plugin_failed"
        wait_for(begun.exists)
        assert begun.read_text() == "once\n"
        let_go.write_text("")
        assert wait_for(lambda: answers(clusters), 120)


HANGING = """#!{python}
import json, os, time
open("{begun}", "a").write("once\\n")
while not os.path.exists("{let_go}"):
    time.sleep(0.05)
version = "client.authentication.k8s.io/v1"
print(json.dumps({{"apiVersion": version, "kind": "ExecCredential", "status": {{"token": "t"}}}}))
"""


def answers(clusters: Clusters) -> bool:
    try:
        return clusters.get().get(SHOP) == {}
    except Retry:
        return False


def test_a_plug_in_that_says_nothing_usable_is_named(path: Path) -> None:
    change(path, user=failing_plugin(path.parent, "", code=0))
    with closing(Clusters({"kubeconfig": str(path)})) as clusters:
        with pytest.raises(Retry, match="cluster default failed: failed to decode process output"):
            clusters.get()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("exec: process returned 255. no  such\nprofile", "process returned 255. no such profile"),
        ("Authorization: Bearer eyJhbGciOi.x.y", "Authorization: … …"),
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI", "AWS_SECRET_ACCESS_KEY=…"),
        ("the key AKIAIOSFODNN7EXAMPLE12 is old", "the key … is old"),
        ("host oidc.eks.eu-central.amazonaws.com", "host oidc.eks.eu-central.amazonaws.com"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, said: str) -> None:
    assert spoken(text) == said


def test_words_are_bounded_in_length_and_time() -> None:
    assert len(spoken("a1-" * 1_000_000)) <= 300


def test_several_kubeconfigs_are_one_list(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    assert kubeconfigs(f"{one}{os.pathsep}{two}") == [one, two]
    assert list(referenced([one, two])) == []
    one.write_text("a: [")
    two.write_text("users: [{name: x, user: {client-key: k.pem}}, 7]\nclusters: 5")
    assert list(referenced([one, two])) == [tmp_path / "k.pem"]


def test_a_link_that_points_elsewhere_has_changed(tmp_path: Path) -> None:
    """As the volume of a Secret or of a pod's token is renewed."""
    for name in ("1", "2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_text(f"token-{name}")
    data = tmp_path / "..data"
    data.symlink_to("1")
    files = ConfigFiles.now([data / "token", tmp_path / "missing"])
    assert not files.changed
    (tmp_path / "new").symlink_to("2")
    os.replace(tmp_path / "new", data)
    assert files.changed


def test_a_broken_kubeconfig_from_the_beginning_is_a_clear_failure(tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text("a: [")
    with closing(Clusters({"kubeconfig": str(tmp_path / "kubeconfig")})) as clusters:
        with pytest.raises(DriverError, match="No cluster can be used from"):
            clusters.get()
