"""Test doubles for driver authors and for applications that embed the service.

``FakeCluster`` is a small Kubernetes API server with the semantics that drivers rely on; the
tests in ``tests/contract`` run unchanged on it and on a real control plane.
"""

from webhook_service.testing.cluster import FakeCluster
from webhook_service.testing.handler import Request
from webhook_service.testing.resources import Resource

__all__ = ["FakeCluster", "Request", "Resource"]
