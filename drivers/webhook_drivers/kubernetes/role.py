"""The Role that the shipped drivers need, as a manifest to apply and bind."""

from __future__ import annotations

from importlib.resources import files

ROLE_NAME = "webhook-service-deployment-update"


def role() -> str:
    """The manifest in YAML, without a namespace: ``kubectl apply -n shop -f -``."""
    return files("webhook_drivers.kubernetes").joinpath("role.yaml").read_text(encoding="utf-8")
