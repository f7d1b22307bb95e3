"""What may stand between the matrix products: normalisation, dropout, smoothed labels.

Only the arrays are here; what is done with them is in normalization.py, dropout.py and
smoothing.py, and insertion.py puts it into a workspace.  A network without any of it has
:func:`nothing`, whose addresses are 0: layers.py asks for them once a layer, and that is all it
costs.
"""

from collections import namedtuple
from functools import cache

import numpy as np

# forward, backward, loss: addresses of the kernels that layers.py calls after a layer's product,
# after that of its gradient, and after the loss; 0 for none.  plan (L, 6): a row per layer, see
# below; numbers: what they keep from forward to backward; running (2, units): mean and variance of
# batch normalisation; training: 1 where rows are dropped and a batch is its own measure; seed and
# clock (1,), the steps so far: of dropout's random words; dropped: out of 65 536; smoothing: of
# the labels.
Between = namedtuple(
    "Between",
    "forward backward loss plan numbers running training seed clock dropped smoothing",
)

# Columns of its plan.  KIND: NONE, LAYER or BATCH; CODE: of the activation that follows the
# normalisation.  In the numbers: where the standardised values (B, O), 1 / their spread (per row
# or unit) and the mask (B, O) start, rows as far apart as in the network's own plan.  In
# ``running``: where the layer's units start.
KIND, CODE, HAT, SPREAD, MASK, RUNNING = range(6)
NONE, LAYER, BATCH = range(3)
NORMALIZATIONS = (None, "layer", "batch")


@cache
def nothing(dtype):
    """No such thing, for networks of this dtype."""
    return Between(
        0, 0, 0, np.empty((0, 6), np.int64), np.empty(0, dtype), np.empty((2, 0), dtype),
        0, 0, np.empty(0, np.int64), 0, 0.0,
    )  # fmt: skip
