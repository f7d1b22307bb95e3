"""What a product takes: how the matrices of a layer lie in memory, and what becomes of a tile.

W is there row by row, and what belongs to the rows of a mini-batch in panels.

A product reads and writes *tiles*: ROWS rows of WIDTH vectors each, which fit into the processor's
registers.  A *panel* has all rows of a mini-batch, PANEL vectors wide, one after the other; so a
tile's rows are neighbours.
"""

from collections import namedtuple

from numba import from_dtype, types

from ._jit import inline
from .processor import has_avx512
from .vector import lanes

# Element (i, j) is numbers[start + i · row + j]: W, dW, and b, whose row is 0.
Matrix = namedtuple("Matrix", "numbers start row")

# Element (i, j) is numbers[place(panels, i, j)]; what belongs to the rows of a mini-batch.
Panels = namedtuple("Panels", "numbers start panel")

# What happens to a tile before it is stored: ``code`` is that of an activation, and its derivative
# will be computed from the pre-activations, if they are kept at ``start``, else from the result; or
# DERIVATIVE + the code: multiply by the derivative, computed from what is there (z for GELU and
# SiLU, else the activation's value).  It is in the numbers of the result, in panels as long.
Epilogue = namedtuple("Epilogue", "code start")
DERIVATIVE = 16

# Of a tile: rows, and vectors in each.  Of a panel: vectors in a row, anywhere.
ROWS, WIDTH = (8, 2) if has_avx512() else (4, 1)
PANEL = 2
MOST_ROWS = 8  # panels have whole tiles of any processor, so that their size is the same on all


@inline
def panel_width(numbers):
    return PANEL * lanes(numbers)


@inline
def place(X, i, j):
    """Where element (i, j) of panels is."""
    width = panel_width(X.numbers)
    return X.start + j // width * X.panel + i * width + j % width


def product_type(dtype):
    """Of a product, in Numba: (Y, X, W, b, Z, P, transposed, begin, end, left, right, depth)."""
    matrix, panels = _type(Matrix, dtype), panels_type(dtype)
    epilogue = types.NamedTuple((types.int64, types.int64), Epilogue)
    room = types.CPointer(from_dtype(dtype))
    return types.void(panels, panels, matrix, matrix, epilogue, room, *[types.int64] * 6)


def weight_product_type(dtype):
    """Of a product of weights: (G, X, D, begin, end, columns, depth)."""
    panels = panels_type(dtype)
    return types.void(_type(Matrix, dtype), panels, panels, *[types.int64] * 4)


def panels_type(dtype):
    return _type(Panels, dtype)


def _type(kind, dtype):
    return types.NamedTuple((types.CPointer(from_dtype(dtype)), types.int64, types.int64), kind)
