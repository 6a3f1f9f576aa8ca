"""What the service ships: each is to be in the hands of the conformance kit."""

from importlib.metadata import distribution


def shipped(group: str) -> set[str]:
    """The names of the service's own plug-ins of a group."""
    return {
        point.name for point in distribution("webhook-service").entry_points.select(group=group)
    }
