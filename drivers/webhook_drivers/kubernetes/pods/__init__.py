"""Pods: what they say of themselves."""
