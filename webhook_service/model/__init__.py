"""The values that cross borders: receivers, deliveries, executions, and how they are named.

What belongs here: frozen values and pure rules over them. What does not: I/O.
"""
