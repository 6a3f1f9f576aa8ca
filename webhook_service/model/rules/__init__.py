"""Rules of a receiver that are models of their own."""
