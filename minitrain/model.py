"""The multi-layer perceptron: sizes, one flat buffer of parameters, and what it computes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from . import inputs
from .kernels import activations, evaluation, insertion, losses, minibatch
from .kernels.between import FIRST, NORMALIZATIONS
from .kernels.layers import Workspace
from .kernels.memory import aligned_zeros
from .kernels.objective import PLAIN, Objective
from .kernels.random import uniform

_WEIGHTS = 0x5EED  # purpose of the random words that make initial weights
_PREDICT_ROWS = 256  # rows that pass through the network at a time

INITIALIZATIONS = ("glorot", "he")


class Block(NamedTuple):
    """A weight matrix or a bias vector: ``flat[start:stop]`` has this shape."""

    name: str
    start: int
    stop: int
    shape: tuple[int, ...]

    @property
    def is_bias(self) -> bool:
        return len(self.shape) == 1


class MLP:
    """A multi-layer perceptron with hand-written gradients.

    Parameters
    ----------
    sizes
        Units of each layer from inputs to outputs, e.g. ``[64, 128, 10]``.
    activation
        Of the hidden layers: identity, relu, leaky_relu, tanh, sigmoid, gelu or silu; or one
        name per hidden layer.  The last layer is linear; the loss brings its softmax or sigmoid.
    loss
        softmax_cross_entropy (classes), binary_cross_entropy (one yes or no per output),
        squared_error, or poisson (counts; the network gives their logarithm).  Means as in torch.
    seed
        Of the initial weights: the same bits on every machine.
    dtype
        float32 or float64.
    initialization
        glorot: uniform within ±sqrt(6 / (inputs + outputs)) (Glorot & Bengio 2010); he: uniform
        within ±sqrt(6 / inputs) (He et al. 2015, arXiv 1502.01852).  Biases start at zero.
        glorot is the default for relu too, as in scikit-learn: on all four bundled sets it was
        better over 10 splits (digits 0.971 against 0.968, iris 0.937 against 0.927:
        scripts/check_accuracy.py, without and with --initialization he).
    normalization
        Of the hidden layers, between weights and activation: None, layer (Ba et al. 2016) or batch
        (Ioffe & Szegedy 2015), with torch's conventions.
    dropout
        Share of the hidden units that are left out at each step of a training.
    label_smoothing
        Share of a target that training gives to all classes alike, or to yes and no.

    Attributes
    ----------
    parameters
        Flat (P,) array, 64-byte aligned; ``weights[l]`` (in, out) and ``biases[l]`` (out,) are
        views of it, and with normalization ``gains[l]`` (γ) and ``shifts[l]`` (β) of each hidden
        layer.
    blocks
        Where each weight matrix and bias vector (with γ and β behind it) stands in ``parameters``.
    running
        What batch normalization keeps of the batches of a training, for all that comes after it:
        ``means[l]`` and ``variances[l]`` of each hidden layer are views of it.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str | Sequence[str] = "relu",
        *,
        loss: str = "softmax_cross_entropy",
        seed: int = 0,
        dtype: Any = "float32",
        initialization: str = "glorot",
        normalization: str | None = None,
        dropout: float = 0.0,
        label_smoothing: float = 0.0,
    ) -> None:
        if isinstance(sizes, (str, bytes)) or not isinstance(sizes, Sequence | np.ndarray):
            raise TypeError(f"sizes: {sizes!r}; accepted: a list such as [64, 128, 10]")
        self.sizes = tuple(inputs.check_count(f"sizes[{i}]", n) for i, n in enumerate(sizes))
        if len(self.sizes) < 2:
            raise ValueError(f"sizes: {list(sizes)}; accepted: at least inputs and outputs")
        hidden = len(self.sizes) - 2
        if isinstance(activation, Sequence) and not isinstance(activation, str):
            names = list(activation)
        else:
            inputs.check_choice("activation", activation, activations.NAMES)
            names = [activation] * hidden
        if len(names) != hidden:
            raise ValueError(f"activation: {len(names)} names for {hidden} hidden layers")
        self.activation = tuple(
            inputs.check_choice("activation", name, activations.NAMES) for name in names
        )
        self.loss = inputs.check_choice("loss", loss, losses.NAMES)
        if self.loss == "softmax_cross_entropy" and self.sizes[-1] < 2:
            raise ValueError(
                "sizes: softmax_cross_entropy needs at least two outputs; for one yes or no use "
                "loss='binary_cross_entropy'"
            )
        self.seed = inputs.check_seed(seed)
        try:
            self.dtype = np.dtype(dtype)
        except TypeError:
            self.dtype = np.dtype(object)
        if self.dtype not in (np.float32, np.float64):
            raise ValueError(f"dtype: {dtype!r}; accepted: float32, float64")
        self.initialization = inputs.check_choice("initialization", initialization, INITIALIZATIONS)
        if normalization not in NORMALIZATIONS:
            raise ValueError(f"normalization: {normalization!r}; accepted: None, layer, batch")
        self.normalization = normalization
        self.dropout = inputs.check_share("dropout", dropout)
        self.label_smoothing = inputs.check_share("label_smoothing", label_smoothing)
        if self.label_smoothing and self.loss in losses.REGRESSION:
            raise ValueError(f"label_smoothing: {label_smoothing}; accepted with {self.loss}: 0")

        self.blocks: list[Block] = []
        start = 0
        for layer, (I, O) in enumerate(zip(self.sizes, self.sizes[1:], strict=False)):
            self.blocks.append(Block(f"weights[{layer}]", start, start + I * O, (I, O)))
            start += I * O
            n = self._bias_numbers(layer)
            self.blocks.append(Block(f"biases[{layer}]", start, start + n, (n,)))
            start += n
        running = insertion.running_of(self.sizes, self.dtype, self.label_smoothing)
        self._adopt(aligned_zeros(start, self.dtype), running)
        for gain in self.gains:
            gain[:] = 1.0
        self._initialize()

    def _bias_numbers(self, layer: int) -> int:
        """How many numbers stand behind a layer's weights: b, or b, γ and β."""
        normalized = self.normalization is not None and layer < len(self.sizes) - 2
        return self.sizes[layer + 1] * (3 if normalized else 1)

    def _adopt(self, parameters: np.ndarray, running: np.ndarray) -> None:
        self.parameters, self.running = parameters, running
        parts = [parameters[block.start : block.stop] for block in self.blocks]
        shapes = [block.shape for block in self.blocks[::2]]
        self.weights = [W.reshape(shape) for W, shape in zip(parts[::2], shapes, strict=True)]
        behind = [b.reshape(-1, O) for b, (_, O) in zip(parts[1::2], shapes, strict=True)]
        self.biases = [rows[0] for rows in behind]
        self.gains, self.shifts = ([rows[k] for rows in behind if len(rows) == 3] for k in (1, 2))
        self.means, self.variances = [], []
        if self.normalization == "batch":
            means, variances = running[FIRST:].reshape(2, -1)
            ends = np.cumsum(self.sizes[1:-1])
            self.means, self.variances = (np.split(kept, ends)[:-1] for kept in (means, variances))

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A copied or pickled array is one of its own: make it aligned, and the views views again.
        self.__dict__.update(state)
        parameters = aligned_zeros(state["parameters"].size, self.dtype)
        parameters[:] = state["parameters"]
        self._adopt(parameters, state["running"])

    def _initialize(self) -> None:
        for layer, W in enumerate(self.weights):
            I, O = W.shape
            bound = np.sqrt(6.0 / (I if self.initialization == "he" else I + O))
            drawn = np.empty(W.size)
            uniform(drawn, self.seed, layer, _WEIGHTS)
            W[:] = (bound * (2.0 * drawn - 1.0)).reshape(W.shape)

    @property
    def n_parameters(self) -> int:
        return self.parameters.size

    def loss_and_gradient(self, X: Any, y: Any) -> tuple[float, np.ndarray]:
        """Mean loss over the rows, and its gradient in the layout of ``parameters``.

        ``X`` is (n, inputs); ``y`` as the loss wants it: (n,) class codes, or (n, outputs).
        """
        data = self.as_data((X, y))
        n = len(data.X)
        gradient = aligned_zeros(self.n_parameters, self.dtype)
        loss = evaluation.loss_gradient(
            gradient, self.parameters, self.workspace(n), data, np.arange(n)
        )
        return float(loss), gradient

    def evaluate(self, X: Any, y: Any) -> tuple[float, float]:
        """Mean loss and accuracy (share of rows that are predicted right) on these rows."""
        data = self.as_data((X, y))
        work = self.workspace(min(len(data.X), _PREDICT_ROWS))
        loss, accuracy = evaluation.evaluate(self.parameters, work, data, minibatch.team()[0])
        return float(loss), float(accuracy)

    def decision_function(self, X: Any) -> np.ndarray:
        """Raw outputs (n, outputs) of the last layer."""
        rows = inputs.as_rows(X, self.dtype, self.sizes[0])
        out = np.empty((len(rows), self.sizes[-1]), self.dtype)
        work = self.workspace(min(max(len(rows), 1), _PREDICT_ROWS))
        evaluation.predict(out, self.parameters, work, inputs.only_rows(rows))
        return out

    def predict(self, X: Any) -> np.ndarray:
        """Class codes (n,); zeros and ones for binary cross-entropy, numbers for the others.

        All but the first are (n, outputs), or (n,) for a single output.
        """
        z = self.decision_function(X)
        if self.loss == "softmax_cross_entropy":
            return z.argmax(axis=1)
        if self.loss == "poisson":
            np.exp(z, out=z)
        values = (z > 0).astype(np.int64) if self.loss == "binary_cross_entropy" else z
        return values[:, 0] if values.shape[1] == 1 else values

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities (n, outputs): of the classes, or of a yes for binary cross-entropy."""
        if self.loss in losses.REGRESSION:
            raise ValueError(f"predict_proba: {self.loss} gives no probabilities; use predict")
        z = self.decision_function(X)
        if self.loss == "binary_cross_entropy":
            e = np.exp(-np.abs(z))
            return np.where(z >= 0, 1, e) / (1 + e)
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def as_data(self, pair: Any) -> minibatch.Data:
        """A Dataset or an (X, y) pair as the kernels' arrays, checked against this network."""
        return inputs.as_data(pair, self.dtype, self.sizes[0], self.sizes[-1], self.loss)

    @property
    def inserts(self) -> bool:
        """Whether anything stands between the layers, or between the last one and the labels."""
        return bool(self.normalization or self.dropout or self.label_smoothing)

    @property
    def trains_another_network(self) -> bool:
        """Whether what training sees is not what prediction and evaluation do."""
        return bool(self.dropout or self.label_smoothing or self.measures_batches)

    @property
    def measures_batches(self) -> bool:
        """Whether a row's output depends on the others of its mini-batch in training."""
        return self.normalization == "batch" and len(self.sizes) > 2

    def workspace(self, rows: int, threads: int = 1, objective: Objective = PLAIN) -> Workspace:
        """Room for a mini-batch of at most ``rows`` rows and for this many threads.

        For prediction and evaluation: nothing is dropped or smoothed, kept statistics count.
        """
        work = self._plain_workspace(rows, threads, objective)
        if not self.normalization:
            return work
        options = {"normalization": self.normalization, "training": False}
        return insertion.insert(work, self.loss, self.running, **options)

    def training_workspace(
        self,
        rows: int,
        threads: int = 1,
        objective: Objective = PLAIN,
        seed: int = 0,
        step: int = 0,
    ) -> Workspace:
        """The same for a training, after ``step`` steps; ``seed`` is dropout's."""
        if self.label_smoothing:  # which may cost more than the unit roundoff's logarithm
            objective = objective._replace(cap=np.inf)
        work = self._plain_workspace(rows, threads, objective)
        if not self.inserts:
            return work
        return insertion.insert(
            work, self.loss, self.running,
            normalization=self.normalization, dropout=self.dropout, seed=seed, step=step,
        )  # fmt: skip

    def _plain_workspace(self, rows: int, threads: int, objective: Objective) -> Workspace:
        codes = [activations.NAMES.index(name) for name in (*self.activation, "identity")]
        return minibatch.workspace(
            self.sizes, codes, self.loss, rows, self.dtype, threads, objective
        )

    def __repr__(self) -> str:
        names = sorted(set(self.activation)) or ["linear"]
        more = [f"{self.normalization} normalization"] if self.normalization else []
        more += [f"dropout {self.dropout:g}"] if self.dropout else []
        more += [f"labels smoothed by {self.label_smoothing:g}"] if self.label_smoothing else []
        parts = ["-".join(map(str, self.sizes)), "/".join(names), self.loss, *more]
        return f"MLP({', '.join(parts)}, {self.n_parameters} parameters, {self.dtype})"
