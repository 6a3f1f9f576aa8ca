"""Putting the demonstration's parts together, and taking them down again."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from starlette.applications import Starlette

from webhook_service.demo.cluster import open_cluster
from webhook_service.demo.scenario import REAL, SIMULATED
from webhook_service.demo.server import listen, serving
from webhook_service.demo.story import Story
from webhook_service.demo.view import View
from webhook_service.service import WebhookService
from webhook_service.settings import Settings, load_settings
from webhook_service.testing import FakeCluster

# Slow enough to be seen.
READY_DELAY = 0.7


@dataclass(frozen=True)
class DemoOptions:
    """How it is run; without a kubeconfig on a simulated cluster."""

    listen: str | None = None
    once: bool = False
    kubeconfig: Path | None = None
    context: str | None = None


def run(options: DemoOptions) -> bool:
    """Tell the story; whether the push became true. Without ``once`` it ends by Ctrl-C."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="webhook-service-demo-")))
        settings = _settings(options, folder)
        listener = stack.enter_context(listen(settings))
        if options.kubeconfig is None:
            stack.enter_context(_simulated(folder / "kubeconfig"))
        cluster = stack.enter_context(open_cluster(_kubeconfig(settings), options.context))
        service = stack.enter_context(WebhookService.open(settings))
        beside = _console(settings, service)
        address = stack.enter_context(serving(service, listener, beside))
        told = REAL if options.kubeconfig else SIMULATED
        story = Story(View(), service, cluster, told, address, [*beside])
        story.prepare(_where(options))
        done = story.push()
        if not options.once:
            story.stay()
        return done


def _settings(options: DemoOptions, folder: Path) -> Settings:
    """Everything that the user's own settings could change is said here."""
    given = {} if options.listen is None else {"listen": options.listen}
    return load_settings(
        database_url=f"sqlite:///{folder / 'demo.db'}",
        base_url=None,
        secret_key=secrets.token_urlsafe(32),
        secret_key_file=None,
        kubeconfig=options.kubeconfig or folder / "kubeconfig",
        kube_context=options.context,
        drivers=("deploymentUpdate",),
        trusted_proxies=(),
        **given,
    )


def _console(settings: Settings, service: WebhookService) -> Mapping[str, Starlette]:
    """The console, by the path of its mount, if its extra is installed."""
    if find_spec("jinja2") is None:
        return {}
    from webhook_service.console import MOUNT, build_console

    return {MOUNT: build_console(settings, service)}


def _kubeconfig(settings: Settings) -> Path:
    assert settings.kubeconfig is not None
    return settings.kubeconfig


def _where(options: DemoOptions) -> str:
    if options.kubeconfig is None:
        return "A simulated Kubernetes cluster, in this process:"
    context = f", context {options.context}" if options.context else ""
    return f"The cluster of {options.kubeconfig}{context}:"


@contextmanager
def _simulated(kubeconfig: Path) -> Iterator[None]:
    with FakeCluster(ready_delay=READY_DELAY) as cluster:
        cluster.write_kubeconfig(kubeconfig)
        yield
