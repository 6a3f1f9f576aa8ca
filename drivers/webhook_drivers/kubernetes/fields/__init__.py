"""A push as values in any object: what ``resourceUpdate`` writes, and how it goes on from there."""
