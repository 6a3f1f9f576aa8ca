"""Writes a new distribution with a driver, a format or a scheme in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Literal

from webhook_service.errors import InvalidRequest

Noun = Literal["driver", "format", "scheme"]
NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_][A-Za-z0-9]+)*")
MAX_NAME = 30
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|[A-Z]")


@dataclass(frozen=True)
class NewDistribution:
    """The names of a new distribution.

    Attributes:
        name: that of the plug-in, as receivers write it: ``greetTeam``.
        words: the name's words in lower case.
    """

    noun: Noun
    name: str
    words: tuple[str, ...]

    @classmethod
    def named(cls, noun: Noun, given: str) -> NewDistribution:
        """Names that follow from one: ``greetTeam``, ``greet-team`` and ``greet_team`` are alike.

        Raises:
            InvalidRequest: nothing can be called so.
        """
        parts = re.split(r"[-_]", given)
        words = tuple([word.lower() for part in parts for word in _WORD.findall(part)])
        if not NAME.fullmatch(given) or len("-".join(words)) > MAX_NAME:
            raise InvalidRequest(
                f"{given[:MAX_NAME]!r} cannot be a name: take letters and digits, {MAX_NAME} at "
                "most with a dash between words, such as greetTeam."
            )
        return cls(noun, words[0] + "".join(map(str.capitalize, words[1:])), words)

    @property
    def distribution(self) -> str:
        """What is installed: ``webhook-greet-team``, ``webhook-shipyard-format``."""
        kind = () if self.noun == "driver" else (self.noun,)
        return "-".join(("webhook", *self.words, *kind))

    @property
    def module(self) -> str:
        """What is imported: ``webhook_greet_team``."""
        return self.distribution.replace("-", "_")

    def write(self, into: Path) -> Path:
        """Write everything into a new folder, and give the folder.

        Raises:
            InvalidRequest: the folder is there already, or cannot be made.
        """
        folder = into / self.distribution
        try:
            folder.mkdir(parents=True)
            for path, text in self._files().items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_text(text, encoding="utf-8")
        except FileExistsError:
            raise InvalidRequest(f"{folder} is there already; nothing was written.") from None
        except OSError as exc:
            raise InvalidRequest(f"{folder} cannot be written: {exc.strerror}.") from exc
        return folder

    def _files(self) -> dict[str, str]:
        return {
            "pyproject.toml": self._filled("shared/pyproject.toml"),
            "README.md": self._filled("shared/README.md"),
            ".gitignore": self._filled("shared/gitignore"),
            ".github/workflows/ci.yml": self._filled("shared/ci.yml"),
            f"{self.module}.py": self._filled(f"{self.noun}/module.py"),
            f"test_{self.module}.py": self._filled(f"{self.noun}/test.py"),
        }

    def _filled(self, template: str) -> str:
        from importlib.metadata import version
        from importlib.resources import files

        path = files("webhook_service.cli.scaffold") / "templates" / f"{template}.txt"
        return Template(path.read_text(encoding="utf-8")).substitute(
            noun=self.noun,
            name=self.name,
            cls="".join(map(str.capitalize, self.words)),
            module=self.module,
            distribution=self.distribution,
            version=".".join(version("webhook-service").split(".")[:2]),
        )
