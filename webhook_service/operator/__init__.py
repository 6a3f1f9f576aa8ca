"""Receivers as custom resources of Kubernetes, and the operator that carries them over.

A Receiver of a namespace becomes the receiver of the same name in the project that is named like
the namespace. The cluster's own admission and rights decide who may write one there.
"""

PLURAL = "receivers"
