"""Segments that differ in an outcome: grown on some people, pruned on others, measured on yet others."""
