"""What was done, and how it is told."""
