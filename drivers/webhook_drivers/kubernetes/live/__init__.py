"""Live objects beside our own pushes: what runs, and who else writes."""
