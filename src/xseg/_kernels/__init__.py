"""Numba kernels: arrays in, arrays out, nothing but numpy and numba.

Each kernel runs on one block of rows in one thread and releases the interpreter lock; the backends decide how many
blocks run at a time. Each has a reference implementation in ``tests/naive.py``.
"""
