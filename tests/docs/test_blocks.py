"""Every command and snippet of README.md and docs/ is run by a test, or a reason says why not.

Whoever adds a block says here who runs it; until then the first test fails. What nobody runs is
read all the same: by a shell for its form, and by our own commands for their options.
"""

import re
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from tests.docs.test_cli import left_over

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
LANGUAGES = ("sh", "bash", "shell", "console", "python")
PROGRAM = "webhook-service"

RUN = {
    "README.md": "tests/docs/test_docs.py",
    "docs/api.md": "tests/docs/test_api.py",
    "docs/backup.md": "tests/docs/test_backup.py",
    "docs/cli.md": "tests/docs/test_cli.py",
    "docs/clusters.md": "tests/docs/test_clusters.py",
    "docs/continuous-delivery.md": "tests/docs/test_continuous_delivery.py",
    "docs/deployment/drill.md": "tests/docs/test_drill.py",
    "docs/embedding.md": "tests/embedding/test_recipes.py",
    "docs/files.md": "tests/docs/test_files.py",
    "docs/gitops.md": "tests/docs/test_gitops.py",
    "docs/inboxes.md": "tests/docs/test_inboxes.py",
    "docs/notifications.md": "tests/docs/test_notifications.py",
    "docs/operations.md": "tests/docs/test_operations.py",
    "docs/other-targets/rabbitmq.md": "tests/examples/test_example_drivers.py",
    "docs/other-targets/registry.md": "tests/examples/test_example_drivers.py",
    "docs/senders/cloudevents.md": "tests/docs/test_senders.py",
    "docs/senders/generic.md": "tests/docs/test_senders.py",
    "docs/strategies.md": "tests/docs/test_snippets.py",
}
"""Pages of which a test runs every block, and where it is."""

RUN_ALONE = {
    "docs/console.md": {"from webhook_service.console": "tests/docs/test_snippets.py"},
    "docs/drivers.md": {"python -m webhook_drivers": "tests/docs/test_snippets.py"},
    "docs/from-rancher-1.6.md": {
        "webhook-service receiver import": "tests/docs/test_from_rancher.py",
        "webhook-service receiver create": "tests/docs/test_from_rancher.py",
    },
    "docs/receivers.md": {
        "curl --fail-with-body": "tests/docs/test_docs.py",
        "python -m webhook_drivers": "tests/docs/test_snippets.py",
    },
    "docs/writing-a-driver.md": {
        "from webhook_service import Change, Context": "tests/docs/test_docs.py",
        "from webhook_service import DriverConfig, Secret": "tests/docs/test_docs.py",
        "from collections.abc": "tests/docs/test_writing_a_driver.py",
        "import asyncio": "tests/docs/test_writing_a_driver.py",
        "from webhook_service import Context, Done": "tests/docs/test_writing_a_driver.py",
        "import pytest": "tests/docs/test_writing_a_driver.py",
        "webhook-service driver new": "tests/examples/test_scaffold.py",
        "webhook-service driver list": "tests/examples/test_scaffold.py",
        "URL=": "tests/examples/test_scaffold.py",
    },
}
"""Of other pages: the blocks that a test runs, by how they begin."""

NOT_RUN = {
    "docs/console.md": {"pip install": "It starts a service that does not end."},
    "docs/deployment/hosts.md": {
        "useradd": "It changes the users and the services of the machine.",
        "sudo": "It needs the user that the block before makes.",
        "webhook-service serve": "It does not end; tests/cli/test_serve.py starts it.",
    },
    "docs/deployment/kubernetes.md": {
        "make image": "It fetches a base image; the continuous integration builds it.",
        "helm upgrade": "Pods have to run; tests/deploy renders the chart and applies it.",
        "kubectl -n cd exec statefulset/hooks -c webhook-service -- \\": (
            "Pods have to run; tests/deploy runs what stands behind `--`."
        ),
        "kubectl -n cd exec statefulset/hooks -c webhook-service -- webhook": "Pods have to run.",
    },
    "docs/deployment/lambda.md": {
        "export": "The database is the reader's.",
        "pip install": "It asks an index; tests/examples/test_lambda.py calls the handler.",
    },
    "docs/deployment/tls.md": {"export": "It starts a service that does not end."},
    "docs/drivers.md": {
        "export": "The driver is the reader's.",
        "webhook-service driver show": "The driver is the reader's.",
    },
    "docs/engines.md": {
        "export": "They do not end; tests/engine starts both, with real brokers.",
    },
    "docs/from-rancher-1.6.md": {
        "curl -u": "It asks a Rancher 1.6.",
        "curl https": "It asks a Rancher 1.6.",
    },
    "docs/operator.md": {
        "pip install": "It does not end; tests/operator runs it on a real API server.",
        "kubectl": "tests/operator waits for the same condition, and reads the same Secret.",
    },
    "docs/receivers.md": {"webhook-service delivery list": "The ids are the reader's."},
    "docs/reliability.md": {"make test": "It is a test run."},
    "docs/senders/azure.md": {"az acr": "It needs an account at Azure."},
    "docs/senders/ecr.md": {"aws sns": "It needs an account at Amazon."},
    "docs/senders/google.md": {
        "gcloud pubsub topics create": "It needs an account at Google.",
        "gcloud pubsub topics publish": "tests/docs/test_senders.py sends its message.",
    },
}
"""The blocks that no test runs, by how they begin, and why."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page that a reader runs."""

    page: str
    language: str
    text: str

    @property
    def first(self) -> str:
        return self.text.partition("\n")[0]

    def is_in(self, table: Mapping[str, Mapping[str, str]]) -> bool:
        return any(self.text.startswith(words) for words in table.get(self.page, ()))


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [
    Block(str(page.relative_to(ROOT)), found[2], dedent(found[3]))
    for page in PAGES
    for found in FENCE.finditer(page.read_text())
    if found[2] in LANGUAGES
]
UNRUN = [block for block in BLOCKS if block.is_in(NOT_RUN)]
SHELL = [block for block in BLOCKS if block.language != "python"]


def test_every_block_is_run_by_a_test_or_has_a_reason_why_not() -> None:
    told = [
        block
        for block in BLOCKS
        if block.page in RUN or block.is_in(RUN_ALONE) or block.is_in(NOT_RUN)
    ]
    assert [(block.page, block.first) for block in BLOCKS if block not in told] == []


def test_what_is_told_here_is_told_of_one_block_that_is_there() -> None:
    for table in (RUN_ALONE, NOT_RUN):
        for page, beginnings in table.items():
            texts = [block.text for block in BLOCKS if block.page == page]
            for words in beginnings:
                assert len([text for text in texts if text.startswith(words)]) == 1, (page, words)
    assert RUN.keys() - {block.page for block in BLOCKS} == set()
    assert RUN.keys() & (RUN_ALONE.keys() | NOT_RUN.keys()) == set()


@pytest.mark.parametrize(
    ("page", "module"),
    sorted(
        {*RUN.items()}
        | {(page, module) for page, found in RUN_ALONE.items() for module in found.values()}
    ),
)
def test_the_test_that_is_to_run_a_page_reads_it(page: str, module: str) -> None:
    folder = (ROOT / module).parent
    readers = [ROOT / module, *(folder / name for name in ("conftest.py", "cli.py", "api.py"))]
    text = "".join(path.read_text() for path in readers if path.is_file())
    assert Path(page).stem in text


@pytest.mark.parametrize("block", UNRUN, ids=lambda block: f"{block.page} {block.first[:30]}")
def test_a_shell_reads_what_nobody_runs(block: Block) -> None:
    done = subprocess.run(
        ["bash", "-n"], input=block.text, capture_output=True, text=True, timeout=20
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_no_snippet_in_python_is_left_unrun() -> None:
    assert [block.page for block in UNRUN if block.language == "python"] == []


@pytest.mark.parametrize("page", sorted({block.page for block in SHELL} - {"docs/cli.md"}))
def test_our_own_commands_take_what_the_page_gives_them(page: str) -> None:
    """Also those of blocks that run: a test may leave out the lines with ids of the reader."""
    scripts = [block.text for block in SHELL if block.page == page]
    for words in (words for script in scripts for words in commands_in(script)):
        assert left_over(words) == [], words


def commands_in(script: str) -> list[list[str]]:
    """What stands behind the name of our program where a shell expects a command."""
    found = []
    for line in script.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words, before = [*lexer], ""
        while words:
            word = words.pop(0)
            if word.rpartition("/")[2] == PROGRAM and _begins(before):
                ends = [n for n, each in enumerate(words) if not each.strip("|&;<>()")]
                end = ends[0] if ends else len(words)
                found.append(words[:end])
                words = words[end:]
            before = word
    return found


def _begins(before: str) -> bool:
    return before in ("", "--") or "=" in before or not before.strip("|&;()")


def test_commands_are_found_where_a_shell_expects_them() -> None:
    script = "X=1 webhook-service a b | webhook-service c > file\nsudo -u webhook-service d\nls"
    assert commands_in(script) == [["a", "b"], ["c"]]
