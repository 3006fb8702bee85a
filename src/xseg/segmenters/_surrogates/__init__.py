"""Readable stand-ins for clusterers that cannot be read."""
