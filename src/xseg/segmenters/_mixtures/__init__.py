"""Segments as components of a mixture: how their distributions are estimated."""
