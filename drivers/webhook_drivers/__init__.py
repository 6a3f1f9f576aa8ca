"""The drivers that ship with webhook-service.

They import only the public names of ``webhook_service`` and are registered through entry points,
exactly like drivers that others write.
"""
