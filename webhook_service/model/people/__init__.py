"""People and their projects: tokens, sessions, and what they did."""
