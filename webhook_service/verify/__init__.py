"""Verification: one module per way to prove that a call is genuine.

Schemes are entry points of the group ``webhook_service.schemes``.
"""
