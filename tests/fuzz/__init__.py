"""Coverage-guided fuzzing of what strangers can reach: formats and schemes."""
