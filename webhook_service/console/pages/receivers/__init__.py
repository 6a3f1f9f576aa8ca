"""Pages about receivers: the list, the wizard, and the wait for the first call."""
