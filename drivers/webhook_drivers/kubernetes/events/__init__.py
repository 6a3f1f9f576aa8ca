"""Kubernetes Events: what they say, and who sends them."""
