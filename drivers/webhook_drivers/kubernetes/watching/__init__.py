"""Watches: what changes in a cluster is heard of, instead of being asked for again and again."""
