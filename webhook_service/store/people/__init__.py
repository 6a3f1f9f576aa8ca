"""What people have, in SQL: projects, tokens, sessions, holds and notifications."""
