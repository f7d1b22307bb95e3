"""The three matrix products of a dense layer."""

import numpy as np

from ._jit import inline


@inline
def forward_product(y, x, W):
    """y = x W, with x (B, I) and W (I, O)."""
    np.dot(x, W, y)


@inline
def input_product(dx, dy, W):
    """dx = dy Wᵀ, with dy (B, O) and W (I, O)."""
    np.dot(dy, W.T, dx)


@inline
def weight_product(dW, x, dy):
    """dW = xᵀ dy, with x (B, I) and dy (B, O)."""
    np.dot(x.T, dy, dW)
