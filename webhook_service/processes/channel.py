"""What a parent and its children say to each other: a line each.

The parent says one, of JSON, when a child begins. That the channel ends tells either that the other
one is gone.
"""

from __future__ import annotations

# Of Prometheus' client, which reads it when it is imported.
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
# The child takes calls; the address follows.
READY = b"ready "
# Only a new process can go on.
STUCK = b"stuck"
