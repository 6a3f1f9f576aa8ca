"""From a call to a decision: the compiled receiver that verifies, reads and matches it.

What belongs here: steps 2 to 5 of a delivery. What does not: HTTP, SQL, running drivers.
"""
