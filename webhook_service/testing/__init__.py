"""Test doubles for driver authors and for applications that embed the service.

``FakeCluster`` is a small Kubernetes API server with the semantics that drivers rely on; the
tests in ``tests/contract`` run unchanged on it and on a real control plane. ``StubDriver`` does
what a test tells it to; ``sample_push`` gives a body as a registry sends it, ``sign`` the headers
that prove it, ``sample_context`` what a driver is told of where a call comes from.
"""

from webhook_service.testing.fake_cluster.api.handler import Request
from webhook_service.testing.fake_cluster.api.statuses import ApiError
from webhook_service.testing.fake_cluster.cluster import FakeCluster
from webhook_service.testing.fake_cluster.connections import Ask, Reply
from webhook_service.testing.fake_cluster.objects.definitions import definition
from webhook_service.testing.samples import sample_push
from webhook_service.testing.signing import sign
from webhook_service.testing.stub import StubConfig, StubDriver, sample_context

__all__ = [
    "ApiError",
    "Ask",
    "FakeCluster",
    "Reply",
    "Request",
    "StubConfig",
    "StubDriver",
    "definition",
    "sample_context",
    "sample_push",
    "sign",
]
