"""The smallest images that a registry takes, and pushing them the way a CI job does."""

import hashlib
import json
import secrets
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.servers.requirements import require_program

OCI = "application/vnd.oci.image"
EMPTY_LAYER = bytes(1024)  # two zero blocks: a tar archive without members
# Written out, for Python versions differ in one byte of what they compress.
COMPRESSED = bytes.fromhex("1f8b080000000000020363601805a360148c5400002eafb5ef00040000")


@dataclass(frozen=True)
class Image:
    layout: Path
    digest: str


def build(
    folder: Path,
    content: str = "",
    architecture: str = "amd64",
    labels: Mapping[str, str] | None = None,
) -> Image:
    """An image layout in the new `folder`; other `content`, or none, gives another digest.

    `login` is `user:password`.
    """
    (folder / "blobs" / "sha256").mkdir(parents=True)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    layer = _blob(folder, f"{OCI}.layer.v1.tar+gzip", COMPRESSED)
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Labels": {"content": content or secrets.token_hex(8), **(labels or {})}},
        "rootfs": {"type": "layers", "diff_ids": [_digest(EMPTY_LAYER)]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}.manifest.v1+json",
        "config": _blob(folder, f"{OCI}.config.v1+json", _json(config)),
        "layers": [layer],
    }
    entry = _blob(folder, f"{OCI}.manifest.v1+json", _json(manifest))
    (folder / "index.json").write_bytes(_json({"schemaVersion": 2, "manifests": [entry]}))
    return Image(folder, entry["digest"])


def push(
    image: Image, reference: str, kind: Literal["oci", "v2s2"] = "oci", login: str = ""
) -> None:
    """Push to `127.0.0.1:PORT/acme/shop:1.2.3`; `v2s2` is Docker's own format, another digest.

    `login` is `user:password`.
    """
    skopeo = require_program("skopeo", "apt-get install skopeo")
    options = ["--preserve-digests"] if kind == "oci" else [f"--format={kind}"]
    options += [f"--dest-creds={login}"] if login else ["--dest-no-creds"]
    command = [str(skopeo), "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false"]
    done = subprocess.run(
        [*command, *options, f"oci:{image.layout}", f"docker://{reference}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def _blob(folder: Path, media_type: str, data: bytes) -> dict[str, Any]:
    digest = _digest(data)
    (folder / "blobs" / "sha256" / digest.removeprefix("sha256:")).write_bytes(data)
    return {"mediaType": media_type, "digest": digest, "size": len(data)}


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
