"""Where registries keep blobs: the other hosts that they may send a client to.

A redirect is followed to these only, without credentials, and what comes is checked by digest.
Sources: docker/docs, ``desktop/setup/allow-list.md``; GitHub, "About self-hosted runners" (hosts
to allow); Microsoft, "Configure rules to access an Azure container registry behind a firewall";
AWS, "Amazon ECR interface VPC endpoints" (the layer bucket); Red Hat, "Firewall changes for
registry.redhat.io and quay.io"; GitLab's registry at gitlab.com.
"""

from __future__ import annotations

from collections.abc import Collection
from fnmatch import fnmatchcase

_KNOWN = (
    (
        "docker.io",
        (
            "production.cloudflare.docker.com",
            "production.cloudfront.docker.com",
            "docker-images-prod.*.r2.cloudflarestorage.com",
        ),
    ),
    ("ghcr.io", ("pkg-containers.githubusercontent.com",)),
    ("quay.io", ("cdn.quay.io", "cdn0?.quay.io")),
    ("*.azurecr.io", ("*.blob.core.windows.net",)),
    ("*.dkr.ecr.*.amazonaws.com", ("prod-*-starport-layer-bucket.s3.*.amazonaws.com",)),
    ("registry.gitlab.com", ("cdn.registry.gitlab-static.net", "storage.googleapis.com")),
)


def keeps_blobs_at(registry: str, host: str, more: Collection[str] = ()) -> bool:
    """Whether a registry may send its clients to this host.

    Args:
        more: patterns of hosts that the operator names, for all registries.
    """
    known = (pattern for name, hosts in _KNOWN if fnmatchcase(registry, name) for pattern in hosts)
    return any(fnmatchcase(host, pattern) for pattern in (*known, *more))
