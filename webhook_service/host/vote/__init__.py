"""Votes by link: a small page that needs neither a login nor the console."""
