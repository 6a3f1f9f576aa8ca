"""Commands about receivers."""
