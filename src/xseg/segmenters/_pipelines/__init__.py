"""Pipelines that end in a segmenter: the way from raw columns, and the same model over raw columns."""
