"""Where a plan says what stands between matrix products: normalisation, dropout, smoothed labels.

What is done is in normalization.py, dropout.py and smoothing.py, and insertion.py puts it into a
workspace.  A network without any of it has only zeros here: layers.py asks for an address once a
layer, and that is all it costs.
"""

# Columns of the plan of layers.py, behind its own.  KIND: NONE, LAYER or BATCH; FOLLOWING: the code
# of the activation that follows the normalisation.  In the workspace's numbers: where the
# standardised values (B, O), 1 / their spread (of each row or unit) and dropout's mask (B, O)
# start, the first and the last in panels.  In its ``running``: where the means of its units start.
KIND, FOLLOWING, HAT, SPREAD, MASK, RUNNING = range(14, 20)
NONE, LAYER, BATCH = range(3)
NORMALIZATIONS = (None, "layer", "batch")

# The same columns in the plan's last row: addresses of the kernels that are called after a layer's
# product, after that of its gradient, and after the loss; whether this is training, where units
# are dropped and a mini-batch is its own measure; the seed of dropout's random words, the steps so
# far, and how many units of 65 536 are dropped; and how many hidden units there are.
FORWARD, BACKWARD, LOSS, TRAINING, SEED, CLOCK, DROPPED, UNITS = range(14, 22)
COLUMNS = 22

# ``running`` begins with the share of a label that is smoothed; then come the means and then the
# variances that batch normalisation keeps.
SMOOTHING, FIRST = 0, 1
