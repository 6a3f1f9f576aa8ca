"""Drivers that change workloads in Kubernetes clusters.

Needs the extra: ``pip install 'webhook-service[kubernetes]'``.
"""
