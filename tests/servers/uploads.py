"""Putting content into a registry by hand: what skopeo does not push."""

import hashlib
import json
import urllib.request
from typing import Any

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"


def put_blob(address: str, repository: str, media_type: str, data: bytes) -> dict[str, Any]:
    """The descriptor of the new blob."""
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    start = f"http://{address}/v2/{repository}/blobs/uploads/"
    with _call("POST", start, b"") as started:
        place = started.headers["Location"]
    _call("PUT", f"{place}&digest={digest}", data, "application/octet-stream").close()
    return {"mediaType": media_type, "digest": digest, "size": len(data)}


def put_manifest(address: str, repository: str, reference: str, content: dict[str, Any]) -> str:
    """The digest of the new manifest or index."""
    data = json.dumps({"schemaVersion": 2} | content).encode()
    url = f"http://{address}/v2/{repository}/manifests/{reference}"
    _call("PUT", url, data, content["mediaType"]).close()
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def described(digest: str, media_type: str = OCI_MANIFEST, **more: Any) -> dict[str, Any]:
    """A descriptor for an index, of a manifest that the registry has."""
    return {"mediaType": media_type, "digest": digest, "size": 1} | more


def _call(method: str, url: str, data: bytes, media_type: str = "text/plain") -> Any:
    headers = {"Content-Type": media_type}
    request = urllib.request.Request(url, data, headers, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return opener.open(request, timeout=10)
