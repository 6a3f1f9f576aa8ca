"""The page about receivers as files: every command of it runs, in its order, on a server."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.docs.test_docs import ROOT
from tests.docs.test_inboxes import deployment
from tests.host.served import serving
from tests.support import PROJECT, SECRET, sqlite_url
from webhook_service import Settings, WebhookService
from webhook_service.model.people.tokens import Role
from webhook_service.testing import FakeCluster

PAGE = (ROOT / "docs/files.md").read_text()


def test_the_page_leads_from_a_file_to_receivers_and_back(tmp_path: Path) -> None:
    (file,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    first, again, prune, export = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    variables, apply = first.splitlines()[:2], first.splitlines()[2:]
    assert [line.split()[0] for line in variables] == ["export", "export"]
    folder = tmp_path / "receivers"
    folder.mkdir()
    (folder / "shop.yaml").write_text(file)
    with FakeCluster() as cluster:
        for namespace in ("stage", "shop"):
            live = deployment("shop")
            live["metadata"]["namespace"] = namespace
            cluster.apply(live)
        settings = Settings(
            database_url=sqlite_url(tmp_path),
            secret_key=SECRET,
            kubeconfig=cluster.write_kubeconfig(tmp_path / "kubeconfig"),
        )
        with serving(WebhookService.open(settings)) as served:
            _, token = served.service.create_token(PROJECT, Role.MEMBER)
            env = {
                **os.environ,
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "WEBHOOK_SERVICE_SERVER": served.base,
                "WEBHOOK_SERVICE_TOKEN": token,
                "GITHUB_SECRET": "of GitHub",
            }

            def run(*commands: str) -> str:
                done = subprocess.run(
                    ["bash", "-euo", "pipefail", "-c", "\n".join(commands)],
                    capture_output=True,
                    text=True,
                    timeout=120,
                    cwd=tmp_path,
                    env=env,
                )
                assert done.returncode == 0, done.stdout + done.stderr
                return done.stdout

            def names() -> list[str]:
                return sorted(each.name for each in served.service.list_receivers(PROJECT).items)

            made = run(*apply)
            assert "This would be: 2 created. Nothing is stored." in made
            assert made.endswith("2 created.\n") and names() == ["shop", "shop-stage"]
            assert "Nothing to change" in run(again)
            _, _, second = file.partition("---\n")
            (folder / "shop.yaml").write_text(re.sub(r"^ +after:.*\n", "", second, flags=re.M))
            assert run(prune).endswith("1 changed, 1 deleted.\n") and names() == ["shop"]
            assert "Nothing to change" in run(export)
    assert "of GitHub" not in (tmp_path / "all.yaml").read_text()
