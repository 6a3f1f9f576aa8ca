"""The database: one writer, many readers, and what SQLite and PostgreSQL want differently."""
