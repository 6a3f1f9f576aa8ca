"""Expressions that people write in receivers, evaluated within bounds."""
