"""The engine: claims executions, runs their drivers, records what came of it.

What belongs here: who runs what when. What does not: reading calls, deciding on pushes.
"""
