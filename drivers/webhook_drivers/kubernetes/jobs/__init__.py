"""Jobs that a push runs to their end."""
