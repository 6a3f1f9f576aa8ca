"""Commands about drivers, formats and schemes."""
