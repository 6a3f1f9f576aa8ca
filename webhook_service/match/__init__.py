"""Matching: which pushes a receiver lets through, and the reason when it does not.

What belongs here: pure rules over an event. What does not: I/O, payloads, clusters.
"""
