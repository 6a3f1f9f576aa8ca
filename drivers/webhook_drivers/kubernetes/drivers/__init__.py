"""The drivers, a module each, and what they share."""
