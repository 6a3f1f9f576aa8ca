"""What the service tells of itself: observers, metrics, logs."""
