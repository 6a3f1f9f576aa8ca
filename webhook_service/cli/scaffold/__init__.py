"""Distributions of one's own: written from templates, and tested from the first moment."""
