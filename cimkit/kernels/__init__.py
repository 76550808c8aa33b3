"""Mathematics in Numba: one file for each named algorithm, plain arrays in and out."""
