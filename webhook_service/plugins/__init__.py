"""Plug-ins: how drivers, formats and schemes are found, loaded and kept."""
