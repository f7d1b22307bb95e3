"""Activation functions of vectors and tiles and, beside each, its derivative, written by hand.

``*_forward`` maps a pre-activation z to the unit's output a.  ``*_backward`` is da/dz, computed
from what the layer keeps: a, or z for the last two.  GELU is the exact one (erf), as torch's
default; leaky_relu has slope 0.01.
"""

from ._jit import inline
from .elementary import erf, exp, sigmoid, tanh
from .simd import elementwise, fma, maximum, where

NAMES = ("identity", "relu", "leaky_relu", "tanh", "sigmoid", "gelu", "silu")
IDENTITY, RELU, LEAKY_RELU, TANH, SIGMOID, GELU, SILU = range(len(NAMES))


@elementwise
def relu_forward(z):
    return maximum(0.0, z)  # keeps a nan


@elementwise
def relu_backward(da, a):
    return where(a <= 0.0, 0.0, da)


@elementwise
def leaky_relu_forward(z):
    return where(z > 0.0, z, 0.01 * z)


@elementwise
def leaky_relu_backward(da, a):
    return where(a > 0.0, da, 0.01 * da)


@elementwise
def tanh_forward(z):
    return tanh(z)


@elementwise
def tanh_backward(da, a):
    return da * fma(-a, a, 1.0)


@elementwise
def sigmoid_forward(z):
    return sigmoid(z)


@elementwise
def sigmoid_backward(da, a):
    return da * fma(-a, a, a)


@elementwise
def gelu_forward(z):
    return 0.5 * z * (erf(z * 0.7071067811865476) + 1.0)


@elementwise
def gelu_backward(da, z):
    cumulative = 0.5 * (erf(z * 0.7071067811865476) + 1.0)
    density = 0.3989422804014327 * exp(-0.5 * z * z)
    return da * fma(z, density, cumulative)


@elementwise
def silu_forward(z):
    return z * sigmoid(z)


@elementwise
def silu_backward(da, z):
    s = sigmoid(z)
    return da * (s * fma(z, 1.0 - s, 1.0))


@inline
def forward(code, z):
    """a = f(z) for the activation of this code."""
    if code == RELU:
        a = relu_forward(z)
    elif code == LEAKY_RELU:
        a = leaky_relu_forward(z)
    elif code == TANH:
        a = tanh_forward(z)
    elif code == SIGMOID:
        a = sigmoid_forward(z)
    elif code == GELU:
        a = gelu_forward(z)
    elif code == SILU:
        a = silu_forward(z)
    else:
        a = z
    return a


@inline
def backward(code, da, kept):
    """dz = da · f', from what the layer keeps."""
    if code == RELU:
        dz = relu_backward(da, kept)
    elif code == LEAKY_RELU:
        dz = leaky_relu_backward(da, kept)
    elif code == TANH:
        dz = tanh_backward(da, kept)
    elif code == SIGMOID:
        dz = sigmoid_backward(da, kept)
    elif code == GELU:
        dz = gelu_backward(da, kept)
    elif code == SILU:
        dz = silu_backward(da, kept)
    else:
        dz = da
    return dz
