"""Learning-rate schedules: pure functions of the step, as factors of the optimizer's rate.

>>> from minitrain.schedule import cosine, epochs, warmup
>>> schedule = warmup(epochs(2)) * cosine(end=0.01)
>>> schedule(np.arange(600), total=600, steps_per_epoch=60)     # 600 factors, one per step

A schedule remembers nothing: any step can be asked for at any time, and a training that resumes
has nothing to load.  :class:`reduce_on_plateau` looks at what the epochs before measured; that is
handed in (:class:`Feedback`) and belongs to the training.

Schedules multiply (``a * b``, ``0.5 * a``), follow each other (``a.then(b, after=0.3)``), compare
by value, pickle, and print as what makes them: ``get(repr(schedule)) == schedule``.
"""

from .base import Function, Product, Schedule, Then, names
from .cosines import Cosine, CosineRestarts
from .cycles import Cyclic, OneCycle
from .decays import Constant, Exponential, Linear, MultiStep, Polynomial, Step
from .duration import Duration, Epochs, Steps
from .plateau import Feedback, ReduceOnPlateau
from .text import get
from .warmups import InverseSqrt, Warmup, WarmupStableDecay

steps, epochs = Steps, Epochs

constant = Constant()
step, multistep, exponential = Step, MultiStep, Exponential
linear, polynomial = Linear, Polynomial
warmup, inverse_sqrt, warmup_stable_decay = Warmup, InverseSqrt, WarmupStableDecay
cosine, cosine_restarts = Cosine, CosineRestarts
one_cycle, cyclic = OneCycle, Cyclic
reduce_on_plateau = ReduceOnPlateau

__all__ = [
    "Duration",
    "Feedback",
    "Function",
    "Product",
    "Schedule",
    "Then",
    "constant",
    "cosine",
    "cosine_restarts",
    "cyclic",
    "epochs",
    "exponential",
    "get",
    "inverse_sqrt",
    "linear",
    "multistep",
    "names",
    "one_cycle",
    "polynomial",
    "reduce_on_plateau",
    "step",
    "steps",
    "warmup",
    "warmup_stable_decay",
]
