"""Alembic migrations of the store; shipped as ``webhook_service.migrations``."""
