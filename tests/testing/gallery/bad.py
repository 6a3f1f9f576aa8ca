"""What stands in the gallery."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Bad:
    """A plug-in, the test of the kit that must fail, and what the fault must say."""

    plugin: type[Any]
    test: str
    sentence: str
