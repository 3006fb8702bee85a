"""Seeded hashes of rows of codes, the only source of chance in a fit."""

import numpy as np

from xseg._kernels.jit import kernel

FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
STEP = np.uint64(0x9E3779B97F4A7C15)
STRETCH_ROWS = 512


@kernel
def mix_columns(hashes, columns):
    """Mix the columns, shape (n_rows or 1, n_columns), into the hashes: SplitMix64 (Steele, Lea and Flood, 2014)."""
    same = columns.shape[0] == 1
    for start in range(0, hashes.shape[0], STRETCH_ROWS):
        stop = min(start + STRETCH_ROWS, hashes.shape[0])
        for j in range(columns.shape[1]):
            for i in range(start, stop):
                value = (hashes[i] ^ np.uint64(columns[0 if same else i, j])) + STEP
                value = (value ^ (value >> np.uint64(30))) * FIRST
                value = (value ^ (value >> np.uint64(27))) * SECOND
                hashes[i] = value ^ (value >> np.uint64(31))
