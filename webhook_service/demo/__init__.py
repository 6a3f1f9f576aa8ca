"""The demonstration: a service, a cluster and a push, with the rollout to look at.

Everything in it is real but the pods, and with ``--kubeconfig`` those too: the push comes over
HTTP, and what is shown of the cluster is read from its API.
"""
