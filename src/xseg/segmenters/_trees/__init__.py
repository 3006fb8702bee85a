"""The threshold tree: starts, moves, and the search for the best."""
