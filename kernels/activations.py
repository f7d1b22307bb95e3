"""Activation functions and their derivatives, written by hand side by side.

``*_forward`` maps a pre-activation z to the unit's output a; ``*_backward`` is da/dz.  GELU is the
exact one (erf), as torch's default; leaky_relu has slope 0.01.
"""

import math

import numpy as np

from ._jit import inline, jit

NAMES = ("identity", "relu", "leaky_relu", "tanh", "sigmoid", "gelu", "silu")
IDENTITY, RELU, LEAKY_RELU, TANH, SIGMOID, GELU, SILU = range(len(NAMES))


@inline
def relu_forward(z, T):
    return z if not z < T(0) else T(0)  # keeps a NaN


@inline
def relu_backward(z, a, T):
    return T(1) if z > T(0) else T(0)


@inline
def leaky_relu_forward(z, T):
    return z if z > T(0) else T(0.01) * z


@inline
def leaky_relu_backward(z, a, T):
    return T(1) if z > T(0) else T(0.01)


@inline
def tanh_forward(z, T):
    return np.tanh(z)


@inline
def tanh_backward(z, a, T):
    return T(1) - a * a


@inline
def sigmoid_forward(z, T):
    e = np.exp(-abs(z))  # never overflows
    return (T(1) if z >= T(0) else e) / (T(1) + e)


@inline
def sigmoid_backward(z, a, T):
    return a * (T(1) - a)


@inline
def gelu_forward(z, T):
    return T(0.5) * z * (T(1) + T(math.erf(z * T(0.7071067811865476))))


@inline
def gelu_backward(z, a, T):
    cumulative = T(0.5) * (T(1) + T(math.erf(z * T(0.7071067811865476))))
    density = T(0.3989422804014327) * np.exp(T(-0.5) * z * z)
    return cumulative + z * density


@inline
def silu_forward(z, T):
    return z * sigmoid_forward(z, T)


@inline
def silu_backward(z, a, T):
    s = sigmoid_forward(z, T)
    return s * (T(1) + z * (T(1) - s))


@jit
def forward(a, z, kind):
    """a = f(z) for whole layers; both are flat, and may be the same array for identity only."""
    T = z.dtype.type
    if kind == RELU:
        for i in range(z.size):
            a[i] = relu_forward(z[i], T)
    elif kind == LEAKY_RELU:
        for i in range(z.size):
            a[i] = leaky_relu_forward(z[i], T)
    elif kind == TANH:
        for i in range(z.size):
            a[i] = tanh_forward(z[i], T)
    elif kind == SIGMOID:
        for i in range(z.size):
            a[i] = sigmoid_forward(z[i], T)
    elif kind == GELU:
        for i in range(z.size):
            a[i] = gelu_forward(z[i], T)
    elif kind == SILU:
        for i in range(z.size):
            a[i] = silu_forward(z[i], T)
    else:
        for i in range(z.size):
            a[i] = z[i]


@jit
def backward(dz, z, a, kind):
    """dz = da · f'(z), in place: ``dz`` comes in as the gradient with respect to a."""
    T = z.dtype.type
    if kind == RELU:
        for i in range(z.size):
            dz[i] *= relu_backward(z[i], a[i], T)
    elif kind == LEAKY_RELU:
        for i in range(z.size):
            dz[i] *= leaky_relu_backward(z[i], a[i], T)
    elif kind == TANH:
        for i in range(z.size):
            dz[i] *= tanh_backward(z[i], a[i], T)
    elif kind == SIGMOID:
        for i in range(z.size):
            dz[i] *= sigmoid_backward(z[i], a[i], T)
    elif kind == GELU:
        for i in range(z.size):
            dz[i] *= gelu_backward(z[i], a[i], T)
    elif kind == SILU:
        for i in range(z.size):
            dz[i] *= silu_backward(z[i], a[i], T)
