"""Compiled kernels: update rules, layers, losses and the training loop, each with a NumPy twin."""
