"""Requests of the Kubernetes API: from a path and a verb to objects and status answers."""
