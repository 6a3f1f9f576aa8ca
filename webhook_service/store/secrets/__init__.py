"""Secrets at rest: the key of an installation, and what is sealed with it."""
