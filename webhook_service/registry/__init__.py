"""Asking a push's registry: which digest a tag is, whether it fits, and who signed it.

Import from the modules: ``rule`` (what a receiver says), ``resolve`` (the check itself),
``client``, ``credentials``, ``cosign`` and ``keyless``.
"""
