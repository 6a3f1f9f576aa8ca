"""The child: one host process among several, that ends when its parent does."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from webhook_service.host.limits.connections import allow_open_files
from webhook_service.host.limits.tls import TlsFiles
from webhook_service.host.server import Beside, serve_on
from webhook_service.processes.channel import FOLDER, READY, STUCK
from webhook_service.service import WebhookService
from webhook_service.settings import Settings, load_settings
from webhook_service.telemetry.shared_metrics import SharedMetrics
from webhook_service.telemetry.traces import trace_to

TOLD_SECONDS = 10.0
BEAT_SECONDS = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HostPlace:
    """What a parent gives to a child.

    Attributes:
        number: the child's among those of its parent; the first one is 0.
        listener: its own socket at the address that all share.
        parent: tells the parent something, and that it lives.
    """

    number: int
    settings: Settings
    listener: socket.socket
    parent: socket.socket

    @classmethod
    def taken(cls, listener: int, parent: int) -> HostPlace:
        """The place that belongs to two open files, which the parent names in the command.

        Raises:
            OSError: no parent tells anything.
            SettingsError: the settings cannot be used in this environment.
        """
        for file in (listener, parent):
            os.set_inheritable(file, False)  # what drivers start must not hold on to them
        channel = socket.socket(fileno=parent)
        channel.settimeout(TOLD_SECONDS)
        with channel.makefile("rb") as lines:
            told = json.loads(lines.readline())
        settings = load_settings(**told["settings"])
        return cls(told["number"], settings, socket.socket(fileno=listener), channel)

    def serve(
        self,
        open_service: Callable[[Settings], WebhookService] = WebhookService.open,
        beside: Beside | None = None,
    ) -> None:
        """Serve until SIGTERM, SIGINT or the end of the parent; what runs is finished first.

        Args:
            open_service: opens the service of this process.
            beside: see ``host.serve``.

        Raises:
            SettingsError: a setting cannot be used; nothing was started.
        """
        settings = self.settings
        allow_open_files(settings.max_connections)
        files = TlsFiles.of(settings)
        with ExitStack() as last:
            last.enter_context(self.listener)
            last.callback(trace_to(settings.otlp_endpoint))
            service = open_service(settings)
            metrics = self._metrics(service)
            if self.number == 0 and settings.metrics_listen is not None:
                try:
                    last.callback(metrics.serve(settings.metrics_listen))
                except BaseException:
                    service.stop()
                    raise
            watch = partial(self._watch, service, metrics)
            threading.Thread(target=watch, name="parent-watch", daemon=True).start()
            serve_on(
                self.listener, settings, service, self._tell_ready, beside, files, metrics.text
            )

    def _metrics(self, service: WebhookService) -> SharedMetrics:
        folder = Path(os.environ[FOLDER])
        metrics = SharedMetrics(
            self.number, folder, service.backlog, service.written, service.store.now
        )
        service.observers.add(metrics)
        return metrics

    def _tell_ready(self, url: str) -> None:
        self.parent.sendall(READY + url.encode() + b"\n")

    def _watch(self, service: WebhookService, metrics: SharedMetrics) -> None:
        """Do meanwhile what no call does: look for the parent, and keep the figures."""
        self.parent.settimeout(BEAT_SECONDS)
        told = False
        while self._has_parent():
            metrics.keep()
            if not told and service.is_stuck:
                told = True
                with suppress(OSError):  # without a parent it ends anyway
                    self.parent.sendall(STUCK + b"\n")
        log.error("The parent of this host process is gone, so it ends, too.")
        os.kill(os.getpid(), signal.SIGTERM)

    def _has_parent(self) -> bool:
        """Whether it is there after a moment; it says nothing more."""
        try:
            return self.parent.recv(1) != b""
        except TimeoutError:
            return True
        except OSError:
            return False
