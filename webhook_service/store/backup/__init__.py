"""Backup and restore of a SQLite database; PostgreSQL has tools of its own for that."""
