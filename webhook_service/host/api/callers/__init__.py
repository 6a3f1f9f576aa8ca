"""Who calls the API, what they may do, and how many at once."""
