"""Segments around prototypes: how centres are found, moved and summarised."""
