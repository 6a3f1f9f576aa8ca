"""The synchronous client, made from the asynchronous one.

``python -m tests.client.synchronous`` writes it.
"""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "webhook_service" / "client"
HOW = "run `python -m tests.client.synchronous`"
_RULES = (
    (r'(?s)\A"""(.*?)"""', r'"""\1\n\nMade from ``asynchronous``: change that.\n"""'),
    (r"for asynchronous programs", "for synchronous programs"),
    (r"from asyncio import sleep\n", ""),
    (r"(from ssl import SSLContext\n)(?=[\s\S]*\bsleep\()", r"\1from time import sleep\n"),
    (r"(import time\n)(?=[\s\S]*\bsleep\()", r"\1from time import sleep\n"),
    (r"client\.asynchronous\.", "client.synchronous."),
    (r"\bfor item in page.data:\n\s+yield item\n", r"yield from page.data\n"),
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\b__a(enter|exit)__\b", r"__\1__"),
    (r"\baclose\b", "close"),
    (r"\bAsync(\w)", r"\1"),
)


def made() -> Mapping[str, str]:
    """What the modules of ``synchronous`` are to be, but for their layout."""
    return {path.name: _made(path.read_text()) for path in (FOLDER / "asynchronous").glob("*.py")}


def _made(text: str) -> str:
    for pattern, replacement in _RULES:
        text = re.sub(pattern, replacement, text)
    return text


if __name__ == "__main__":
    folder = FOLDER / "synchronous"
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.py"):
        path.unlink()
    for name, text in made().items():
        (folder / name).write_text(text)
    ruff = [str(Path(sys.executable).parent / "ruff")]
    subprocess.run([*ruff, "format", "-q", str(folder)], check=True)
    subprocess.run([*ruff, "check", "-q", "--fix", str(folder)], check=True)
