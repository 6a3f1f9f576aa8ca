"""The driver gitCommit on real Git, and on the API of each forge: one contract for all."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.drivers.git.hosts import (
    DIGEST,
    FILE,
    FORGES,
    HOSTS,
    PATH,
    Host,
    context,
    driver,
    push,
    running,
)
from tests.servers.git import git
from webhook_drivers.git.repository import Moved
from webhook_service import (
    Done,
    DriverError,
    ImageFacts,
    Interruption,
    InvalidConfig,
    Outcome,
    Retry,
    Superseded,
    TargetConflict,
    Unchanged,
    Wait,
)

AFTER = FILE.replace(b"1.0.0", b"1.1.0")
PULL = {"push": {"pullRequest": {"title": "Deploy {tag}"}}}


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    with running(request.param, tmp_path) as found:
        yield found


@pytest.fixture(params=FORGES)
def forge(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    with running(request.param, tmp_path) as found:
        yield found


def run(host: Host, event: Any = None, number: int = 1, /, **more: Any) -> Outcome:
    about = {key: more.pop(key) for key in ("state", "rolls_back", "identity") if key in more}
    with closing(driver()) as made:
        return made.execute(host.settings(**more), event or push(), context(number, **about))


def test_a_push_becomes_one_commit_that_changes_one_value(host: Host) -> None:
    ended = run(host)
    assert isinstance(ended, Done)
    assert [(c.before, c.after) for c in ended.changes] == [
        ("docker.io/acme/shop:1.0.0", "docker.io/acme/shop:1.1.0")
    ]
    assert host.bare.read(PATH) == AFTER
    newest = host.bare.messages()[0]
    assert (
        newest.startswith("Deploy docker.io/acme/shop:1.1.0\n") and "Webhook-Actor: ann" in newest
    )
    assert len(host.bare.messages()) == 2
    host.bare.check()


def test_the_same_push_again_makes_no_second_commit(host: Host) -> None:
    first = run(host)
    assert run(host) == first
    assert isinstance(run(host, push(), 2, identity="push-1"), Unchanged)
    assert len(host.bare.messages()) == 2


def test_an_older_push_never_wins(host: Host) -> None:
    run(host, push("2.0.0"), 2)
    with pytest.raises(Superseded, match="newer push"):
        run(host, push("1.1.0"), 1)


def test_a_rollback_is_a_commit_back_and_its_push_stays_undone(host: Host) -> None:
    run(host)
    bad = host.bare.head()
    ended = run(host, push("1.0.0"), 2, rolls_back="push-1")
    assert isinstance(ended, Done) and host.bare.read(PATH) == FILE
    assert f"This reverts commit {bad}." in host.bare.messages()[0]
    with pytest.raises(Superseded, match="rolled back"):
        run(host, push(), 3, identity="push-1")
    assert isinstance(run(host, push(), 4), Done)


def test_a_rollback_finds_what_the_file_says(host: Host) -> None:
    run(host)
    with closing(driver()) as made:
        seen = made.observe(host.settings(), push(), context(9))
        host.bare.write(PATH, FILE)
        by_hand = made.observe(host.settings(), push(), context(9))
    assert [(item.image, item.ours) for item in seen] == [("docker.io/acme/shop:1.1.0", True)]
    assert [(item.image, item.ours) for item in by_hand] == [("docker.io/acme/shop:1.0.0", False)]


def test_a_file_of_another_repository_is_left_alone(host: Host) -> None:
    settings = host.settings(edit={"type": "kustomization", "name": "acme/shop"})
    with closing(driver()) as made, pytest.raises(TargetConflict, match="acme/shop"):
        made.execute(settings, push(repository="evil/shop"), context())
    assert len(host.bare.messages()) == 1


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"branch": "nowhere"}, "no branch nowhere"),
        ({"path": "nowhere.yaml"}, "no file nowhere.yaml"),
    ],
)
def test_what_is_missing_is_said_when_a_receiver_is_made(
    host: Host, config: dict[str, str], said: str
) -> None:
    with closing(driver()) as made, pytest.raises(InvalidConfig, match=said):
        made.validate(host.settings(**config), context())


@pytest.mark.parametrize("at", ["ci:canary@", ":canary@", "canary@"])
@pytest.mark.parametrize("field", ["repository", "apiUrl"])
def test_a_url_that_holds_a_credential_is_refused(host: Host, field: str, at: str) -> None:
    with pytest.raises(ValidationError, match="without credentials"):
        host.settings(**{field: f"https://{at}git.example.com/acme/deploy"})


@pytest.mark.parametrize("place", ["git.example.com:99999", "[::1", "git example.com"])
def test_a_url_that_names_no_place_is_refused(host: Host, place: str) -> None:
    with pytest.raises(ValidationError):
        host.settings(repository=f"https://{place}/acme/deploy")


def test_a_right_config_is_accepted_and_nothing_is_written(host: Host) -> None:
    before = host.bare.head()
    with closing(driver()) as made:
        made.validate(host.settings(), context())
    assert host.bare.head() == before


def test_a_wrong_token_is_said_without_the_token(forge: Host) -> None:
    with closing(driver()) as made, pytest.raises(InvalidConfig) as refused:
        made.validate(forge.settings(token="wrong-token"), context())
    assert "token that may write" in refused.value.message
    assert "wrong-token" not in refused.value.message


def test_a_refused_push_says_what_the_hook_said_and_what_helps(tmp_path: Path) -> None:
    with running("git", tmp_path) as host:
        hook = host.bare.folder / "hooks" / "pre-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\necho 'main is protected:' >&2\necho 'ask ann' >&2\nexit 1\n")
        hook.chmod(0o755)
        with pytest.raises(DriverError) as refused:
            run(host)
        assert refused.value.reason == "push_refused"
        assert refused.value.message == (
            "The push to main was refused: pre-receive hook declined. Let the account of the token "
            "push there, or name another branch in `branch`. The host says: main is protected: "
            "ask ann"
        )
        assert host.bare.read(PATH) == FILE


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("receive.hideRefs", "refs/heads", "shows the branch to readers, but not to pushes"),
        ("receive.maxInputSize", "1", "unpack"),
        ("receive.denyCurrentBranch", "refuse", "currently checked out"),
    ],
)
def test_a_push_that_the_settings_of_the_host_refuse_says_so(
    tmp_path: Path, key: str, value: str, said: str
) -> None:
    with running("git", tmp_path) as host:
        git(host.bare.folder, "config", key, value)
        if key == "receive.denyCurrentBranch":
            git(host.bare.folder, "config", "core.bare", "false")
        with pytest.raises(DriverError, match=said) as refused:
            run(host)
        assert refused.value.reason == "push_refused"
        assert host.bare.read(PATH) == FILE


def test_a_branch_that_another_push_holds_is_tried_again(tmp_path: Path) -> None:
    with running("git", tmp_path) as host:
        lock = host.bare.folder / "refs/heads/main.lock"
        lock.touch()
        with pytest.raises(Retry, match="another one holds it"):
            run(host)
        lock.unlink()
        assert isinstance(run(host), Done)


def test_a_repository_with_sha256_is_said_when_a_receiver_is_made(tmp_path: Path) -> None:
    with running("git", tmp_path) as host, closing(driver()) as made:
        shutil.rmtree(host.bare.folder)
        host.bare.folder.mkdir()
        git(host.bare.folder, "init", "-q", "--bare", "-b", "main", "--object-format=sha256")
        host.bare.write(PATH, FILE)
        with pytest.raises(InvalidConfig, match="names its objects by SHA-256"):
            made.validate(host.settings(), context())


def test_eight_racing_writers_of_eight_files_lose_nothing(host: Host) -> None:
    paths = [f"apps/{n}/kustomization.yaml" for n in range(8)]
    for path in paths:
        host.bare.write(path, FILE)
    before = len(host.bare.messages())

    def write(number: int) -> Outcome:
        with closing(driver()) as made:
            while True:
                try:
                    return made.execute(
                        host.settings(path=paths[number]), push(), context(number + 1)
                    )
                except Moved:  # the engine calls again
                    continue

    with ThreadPoolExecutor(8) as pool:
        ended = list(pool.map(write, range(8)))
    assert all(isinstance(each, Done) for each in ended)
    assert [host.bare.read(path) for path in paths] == [AFTER] * 8
    assert len(host.bare.messages()) == before + 8
    host.bare.check()


KILLED = """
import json, sys
from contextlib import closing
from tests.drivers.git.hosts import context, driver, push
from webhook_drivers.git.config import GitCommitConfig
config = GitCommitConfig.model_validate(json.loads(sys.argv[1]))
with closing(driver()) as made:
    print(made.execute(config, push(), context()))
"""


def killed(host: Host, at: str, **more: Any) -> int:
    config = json.dumps({**host.config, **more})
    done = subprocess.run(
        [sys.executable, "-c", KILLED, config],
        env={**os.environ, "WEBHOOK_SERVICE_FAILPOINTS": f"{at}=kill"},
        capture_output=True,
        timeout=60,
        cwd=Path(__file__).parents[3],
    )
    return done.returncode


@pytest.mark.parametrize("at", ["git.read", "git.committed"])
def test_a_kill_at_any_step_makes_one_commit(host: Host, at: str) -> None:
    assert killed(host, at) == -signal.SIGKILL
    ended = run(host)
    assert isinstance(ended, Done) and ended.changes[0].before == "docker.io/acme/shop:1.0.0"
    assert host.bare.read(PATH) == AFTER and len(host.bare.messages()) == 2


@pytest.mark.parametrize(
    "at", ["git.branched", "git.read", "git.committed", "git.proposing", "git.proposed"]
)
def test_a_kill_at_any_step_makes_one_pull_request(forge: Host, at: str) -> None:
    assert killed(forge, at, **PULL) == -signal.SIGKILL
    assert isinstance(run(forge, **PULL), Done)
    (request,) = forge.server.requests
    assert len(forge.bare.messages(request.head)) == 2 and len(forge.bare.messages()) == 1
    assert forge.bare.read(PATH, request.head) == AFTER


def test_a_pull_request_has_the_evidence(forge: Host) -> None:
    settings = forge.settings(**PULL)
    with closing(driver()) as made:
        made.options = {**made.options, "base_url": "https://hooks.example.com"}
        evil = push(digest=DIGEST, actor="[ann](http://evil) @all")
        made.execute(settings, evil, context())
    (request,) = forge.server.requests
    assert request.title == "Deploy 1.1.0"
    for said in ("docker.io/acme/shop:1.1.0", DIGEST, "rcv\\_shop", "https://hooks.example.com/v1"):
        assert said in request.body
    assert "[ann](" not in request.body and " @all" not in request.body


def test_a_pull_request_shows_what_the_image_says_of_itself(forge: Host) -> None:
    facts = ImageFacts(
        source="https://github.com/acme/shop",
        revision="8a2eded",
        created="2026-11-20T10:00:00Z",
        version="1.1.0_rc",
        size=73_400_320,
    )
    run(forge, push(facts=facts), **PULL)
    (request,) = forge.server.requests
    for row in (
        "| Revision | 8a2eded |",
        "| Source | [https://github.com/acme/shop](https://github.com/acme/shop) |",
        "| Version | 1.1.0\\_rc |",
        "| Built at | 2026-11-20T10:00:00Z |",
        "| Size | 73.4 MB |",
    ):
        assert row in request.body.splitlines()


def test_a_pull_request_says_nothing_of_what_the_image_does_not_say(forge: Host) -> None:
    run(forge, push(facts=ImageFacts(revision="8a2eded")), **PULL)
    (request,) = forge.server.requests
    names = [line.split("|")[1].strip() for line in request.body.splitlines() if line[:2] == "| "]
    assert names == ["", "Image", "Revision", "Pushed by", "Receiver", "Execution"]


def test_labels_and_auto_merge_are_asked_for(forge: Host) -> None:
    wanted = {"pullRequest": {"labels": ["deploy"], "autoMerge": True}}
    run(forge, **{"push": wanted})
    (request,) = forge.server.requests
    assert request.auto
    assert request.labels == ([] if forge.config["via"] == "bitbucket" else ["deploy"])


AUTO = {"push": {"pullRequest": {"autoMerge": True}}}


def test_a_host_that_cannot_merge_yet_is_asked_again(forge: Host) -> None:
    forge.server.unready = 2
    waiting = run(forge, **AUTO)
    assert isinstance(waiting, Wait) and "Please try again later" in waiting.message
    waiting = run(forge, state=waiting.state, **AUTO, **FOLLOW)
    assert isinstance(waiting, Wait) and "Please try again later" in waiting.message
    (request,) = forge.server.requests
    assert (request.state, request.auto) == ("open", False)
    assert isinstance(run(forge, state=waiting.state, **AUTO), Done) and request.auto


def test_a_host_that_never_merges_leaves_a_request_that_is_said(forge: Host) -> None:
    forge.server.unready = 9
    waiting = run(forge, **AUTO)
    assert isinstance(waiting, Wait)
    long_ago = {"started": time.time() - 310, "seen": time.time() - 1}
    with pytest.raises(DriverError, match=r"stays open: .*Please try again later"):
        run(forge, state={**waiting.state, "asked": long_ago}, **AUTO)


FOLLOW = {"follow": {"namespace": "shop", "name": "shop"}}


def test_a_closed_request_fails_and_says_so(forge: Host) -> None:
    waiting = run(forge, **PULL, **FOLLOW)
    assert isinstance(waiting, Wait) and "waits for its merge" in waiting.message
    forge.server.requests[0].state = "closed"
    with pytest.raises(DriverError, match="closed without a merge"):
        run(forge, state=waiting.state, **PULL, **FOLLOW)


def test_an_abort_closes_the_request(forge: Host) -> None:
    waiting = run(forge, **PULL, **FOLLOW)
    assert isinstance(waiting, Wait)
    with closing(driver()) as made:
        about = replace(context(), state=waiting.state)
        settings = forge.settings(**PULL, **FOLLOW)
        ended = made.interrupt(settings, push(), about, Interruption.ABORT)
    assert isinstance(ended, Done) and forge.server.requests[0].state == "closed"


def test_commits_of_people_on_our_branch_stay(forge: Host) -> None:
    run(forge, **PULL)
    branch = forge.server.requests[0].head
    forge.bare.write("notes.txt", b"ours\n", branch)
    run(forge, push("1.2.0"), 2, **PULL)
    assert len(forge.server.requests) == 1
    assert forge.bare.read("notes.txt", branch) == b"ours\n"
    assert forge.bare.read(PATH, branch) == FILE.replace(b"1.0.0", b"1.2.0")


def test_a_branch_of_people_with_our_name_is_never_touched(forge: Host) -> None:
    theirs = forge.bare.write("notes.txt", b"theirs\n", "deploys")
    run(forge, push={"branch": "deploys", "pullRequest": {}})
    assert forge.bare.head("deploys") == theirs
    assert forge.server.requests[0].head.startswith("deploys-")


def test_the_next_push_after_a_merge_has_a_request_of_its_own(forge: Host) -> None:
    run(forge, **PULL)
    forge.server.merge(1)
    assert forge.bare.read(PATH) == AFTER
    run(forge, push("1.2.0"), 2, **PULL)
    first, second = forge.server.requests
    assert second.head != first.head and second.state == "open"


def test_a_host_that_is_down_is_tried_again(host: Host) -> None:
    host.server.down = True
    with pytest.raises(Retry):
        run(host)
