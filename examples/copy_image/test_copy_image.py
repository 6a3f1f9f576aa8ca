"""The conformance kit on ``copyImage``; it needs skopeo and docker-registry."""

import asyncio
import io
import json
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import webhook_copy_image
from webhook_copy_image import REGISTRIES, CopyImage, CopyImageConfig, digest_of

from webhook_service import Done, DriverError, InvalidConfig, PushEvent, Retry, Superseded, Wait
from webhook_service.testing import sample_context
from webhook_service.testing.kit import DriverCase, DriverConformance, FreshTarget

numbers = count(1)
CONTEXT = sample_context()


class Registry:
    """A docker-registry without logins and without TLS."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{found.getsockname()[1]}"
        config = {
            "version": "0.1",
            "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
            "http": {"addr": self.address},
        }
        (folder / "config.yml").write_text(json.dumps(config))

    def __enter__(self) -> "Registry":
        command = ["docker-registry", "serve", str(self.folder / "config.yml")]
        with (self.folder / "log").open("w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while not self.answers():
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(60)

    def answers(self) -> bool:
        host, _, port = self.address.partition(":")
        try:
            socket.create_connection((host, int(port)), 1).close()
        except OSError:
            return False
        return True

    def push(self, name: str, content: str) -> None:
        """Push an image with one file in it."""
        path = self.folder / f"{next(numbers)}.tar"
        with tarfile.open(path, "w") as archive:
            member = tarfile.TarInfo("content")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content.encode()))
        words = ["skopeo", "copy", "--quiet", f"tarball:{path}", f"docker://{self.address}/{name}"]
        subprocess.run(words, check=True, timeout=60)


@pytest.fixture
def registries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Registry]]:
    """Where images come from, and where they go."""
    made = []
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
        made.append(Registry(tmp_path / name))
    insecure = "".join(
        f'[[registry]]\nlocation = "{each.address}"\ninsecure = true\n' for each in made
    )
    (tmp_path / ".config/containers").mkdir(parents=True)
    (tmp_path / ".config/containers/registries.conf").write_text(insecure)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv(REGISTRIES, ",".join(each.address for each in made))
    with ExitStack() as running:
        yield [running.enter_context(each) for each in made]


@pytest.fixture
def push(registries: list[Registry]) -> PushEvent:
    registries[0].push("acme/shop:1", "first")
    return PushEvent(registry=registries[0].address, repository="acme/shop", tag="1")


def config_of(registry: Registry) -> CopyImageConfig:
    return CopyImageConfig(to=f"{registry.address}/acme/shop-{next(numbers)}")


def digest(name: str) -> str | None:
    return asyncio.run(digest_of(name))


class TestCopyImage(DriverConformance):
    @pytest.fixture
    def case(self, registries: list[Registry], push: PushEvent) -> DriverCase:
        ours, theirs = registries

        def target() -> FreshTarget:
            to = config_of(theirs).to
            return FreshTarget(
                config={"to": to},
                look=lambda: {"1": manifest_in(theirs, to)},
                has=lambda event: digest(f"{to}:1") == digest(f"{ours.address}/acme/shop:1"),
                fail=lambda: theirs.__exit__(),
            )

        refused = [{}, {"to": "acme/shop"}, {"to": "registry.test/acme/shop"}]
        # One push: what the tag names at its source decides which is the newest.
        return DriverCase(driver=CopyImage, target=target, events=[push], bad_configs=refused)


def manifest_in(registry: Registry, to: str) -> str | None:
    """What the tag 1 names, read from the registry's disk: that is fast enough for each line."""
    path = to.partition("/")[2]
    tag = f"data/docker/registry/v2/repositories/{path}/_manifests/tags/1/current/link"
    file = registry.folder / tag
    return file.read_text() if file.exists() else None


def run(driver: CopyImage, config: CopyImageConfig, event: PushEvent) -> object:
    """All steps of an execution, on one loop."""

    async def steps() -> object:
        state: dict[str, object] = {}
        while True:
            outcome = await driver.execute(config, event, sample_context(state=state))
            if not isinstance(outcome, Wait):
                await driver.close()
                return outcome
            state = dict(outcome.state)

    return asyncio.run(steps())


def test_a_tag_that_was_pushed_again_is_left_to_the_newer_push(
    registries: list[Registry], push: PushEvent
) -> None:
    ours, theirs = registries
    older = replace(push, digest=digest(push.image))
    ours.push("acme/shop:1", "second")
    newer = replace(push, digest=digest(push.image))
    config = config_of(theirs)
    assert isinstance(run(CopyImage(), config, newer), Done)
    with pytest.raises(Superseded):
        run(CopyImage(), config, older)
    assert digest(f"{config.to}:1") == newer.digest != older.digest


def test_a_long_copy_goes_on_between_steps(
    registries: list[Registry], push: PushEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_copy_image, "PATIENCE", 0.0)
    config = config_of(registries[1])
    outcome = run(CopyImage(), config, push)
    assert isinstance(outcome, Done)
    (change,) = outcome.changes
    assert (change.before, change.after) == (None, digest(f"{config.to}:1"))


def test_a_copy_that_was_left_behind_does_not_win(
    registries: list[Registry], push: PushEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = registries
    config, driver = config_of(theirs), CopyImage()

    async def steps() -> None:
        monkeypatch.setattr(webhook_copy_image, "PATIENCE", 0.0)
        assert isinstance(await driver.execute(config, push, CONTEXT), Wait)
        (left,) = driver.copies.values()
        await asyncio.to_thread(ours.push, "acme/shop:1", "second")
        monkeypatch.setattr(webhook_copy_image, "PATIENCE", 60.0)
        await driver.execute(config, push, CONTEXT)
        assert left.work.done()
        await driver.close()

    asyncio.run(steps())
    assert digest(f"{config.to}:1") == digest(push.image)


def test_only_the_operators_registries_are_called(push: PushEvent) -> None:
    driver = CopyImage()
    foreign = PushEvent(registry="registry.test", repository="acme/shop", tag="1")
    config = CopyImageConfig(to=f"{push.registry}/acme/copy")
    with pytest.raises(DriverError, match=f"registry.test in {REGISTRIES}"):
        run(driver, config, foreign)
    elsewhere = CopyImageConfig(to="registry.test/acme/copy")
    with pytest.raises(InvalidConfig, match=f"registry.test in {REGISTRIES}"):
        driver.validate(elsewhere, CONTEXT)
    with pytest.raises(DriverError, match=f"registry.test in {REGISTRIES}"):
        run(driver, elsewhere, push)


def test_a_project_keeps_to_repositories_of_its_own(push: PushEvent) -> None:
    config = CopyImageConfig(to=f"{push.registry}/other/copy")
    with pytest.raises(InvalidConfig, match="begin with shop-team/"):
        CopyImage().validate(config, sample_context(project="shop-team", shared=True))


def test_a_registry_that_is_down_is_tried_again(
    registries: list[Registry], push: PushEvent
) -> None:
    registries[1].__exit__()
    with pytest.raises(Retry):
        run(CopyImage(), config_of(registries[1]), push)
