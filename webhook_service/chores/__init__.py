"""Chores: what has to be done now and then, beside running executions."""
