"""How much callers may take: connections, bytes, calls a second."""
