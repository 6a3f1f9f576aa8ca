"""What one receiver and one project may take of the database, and when its disk is too full.

What belongs here: counts of what is stored. What does not: rates of calls, which the host bounds.
"""
