"""What a real registry sends for one push, made anonymous; `python -m tests.servers.capture`.

It prints the content of tests/formats/captured/distribution-2.8-push.json.
"""

import json
import platform
import re
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.servers.images import build, push
from tests.servers.listener import Call, Listener
from tests.servers.registry import Registry

REGISTRY = "registry.example:5000"
LISTENER = "webhooks.example"


def capture(folder: Path) -> list[dict[str, Any]]:
    """All calls of a push of acme/shop:1.2.3: each blob is told on its own, the tag comes last."""
    with Listener() as listener, Registry(listener.url) as registry:
        push(build(folder, "captured"), f"{registry.address}/acme/shop:1.2.3")
        wait_for_silence(listener)
        return [_anonymous(call, registry.address) for call in listener.calls]


def wait_for_silence(listener: Listener, seconds: float = 0.5) -> None:
    seen = -1
    while seen != len(listener.calls) or not seen:
        seen = len(listener.calls)
        time.sleep(seconds)


def _anonymous(call: Call, address: str) -> dict[str, Any]:
    text = call.body.decode().replace(address, REGISTRY)
    text = re.sub(rf"{re.escape(platform.node())}:\d+", REGISTRY, text)
    text = re.sub(r"127\.0\.0\.1:\d+", "192.0.2.10:40000", text)
    headers = call.headers | {"Host": LISTENER, "Content-Length": str(len(text.encode()))}
    return {"headers": headers, "body": json.loads(text)}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        print(json.dumps(capture(Path(temporary) / "image"), indent=2))
