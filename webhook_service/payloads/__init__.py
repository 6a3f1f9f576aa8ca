"""Payload formats: one module per sender, pure functions from bytes to pushed images.

What belongs here: reading a body. What does not: I/O, the receiver's rules, the store.
Formats are entry points of the group ``webhook_service.formats``.
"""
