"""Check-up of a data set and a network before a long training.

Each check says what it measured, what is normal, and what to try.  Source of most: CS231n's notes
on learning (sanity checks, babysitting the learning process).
"""

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..finder import find_learning_rate
from ..inputs import check_seed
from ..model import MLP
from ..optimizer import Optimizer
from ..optimizers import get as get_optimizer
from ..trainer import DivergenceError, Trainer
from .inside import idle_units

GOOD, LOOK, BAD = "good", "look", "bad"

_TRIED = 40  # parameters whose gradient is checked
_FEW = 20  # rows that a network must be able to learn by heart
_EPOCHS = 5  # of the short training
_HELD_OUT_EPOCHS = 30
_BETTER = 0.95  # of the guess's loss: the least of 30 epochs is a little below it by luck alone
_APART = 10.0  # factor between the rate that is set and the one suggested: what is still good


@dataclass(frozen=True)
class Check:
    """One check: ``verdict`` is good, look or bad; ``advice`` is empty where all is well."""

    name: str
    verdict: str
    measured: str
    normal: str
    advice: str = ""
    numbers: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Patient:
    """What is examined.  ``raw`` is the data before it was standardised, for the features."""

    raw: Any
    train: Any
    hidden: tuple[int, ...]
    activation: str
    optimizer: Optimizer
    batch_size: int
    seed: int

    def network(self, dtype: str = "float32") -> MLP:
        """A fresh network, always the same."""
        data = self.train
        return MLP([data.n_features, *self.hidden, data.n_classes], self.activation,
                   seed=self.seed, dtype=dtype)  # fmt: skip


def examine(
    data: Any, hidden: tuple[int, ...] = (64, 64), activation: str = "relu",
    optimizer: str | Optimizer = "adam", batch_size: int = 32, seed: int = 0,
) -> Iterator[Check]:  # fmt: skip
    """The checks of a Dataset with classes, one after the other as they are done.

    Raises
    ------
    ValueError
        If the data has numbers to predict and no classes.
    """
    if not data.class_names:
        raise ValueError(f"data: {data.name} has numbers to predict; accepted: classes")
    train = data.split(seed=check_seed(seed))[0]
    mover = get_optimizer(optimizer)
    patient = Patient(data, train, tuple(hidden), activation, mover, batch_size, seed)
    for check in CHECKS:
        yield check(patient)


def class_balance(patient: Patient) -> Check:
    counts = np.bincount(patient.raw.y, minlength=patient.raw.n_classes)
    names = patient.raw.class_names
    ratio = counts.max() / max(counts.min(), 1)
    most = counts.max() / counts.sum()
    spread = (
        f"{counts.min()} rows of each class" if ratio == 1 else
        f"{counts.min()} rows of {names[counts.argmin()]!r}, {counts.max()} of "
        f"{names[counts.argmax()]!r}"
    )  # fmt: skip
    return Check(
        "class balance",
        GOOD if ratio < 3 else LOOK if ratio < 20 else BAD,
        f"{spread}: 1 to {ratio:.1f}; always guessing the most frequent is right in {most:.1%}",
        "below 1 to 3",
        ""
        if ratio < 3
        else "try --balanced, and look at the recall of each class, not at accuracy",
        {"ratio": float(ratio)},
    )


def feature_scale(patient: Patient) -> Check:
    deviation = np.asarray(patient.raw.X, float).std(axis=0)
    used = deviation[deviation > 0]
    constant = int((deviation == 0).sum())
    ratio = float(used.max() / used.min()) if used.size else math.inf
    outlier, limit, where = _outlier(patient)
    if not used.size:
        return Check(
            "scale of features", BAD, f"all {constant} features have one value only",
            "features that change", "nothing can be learned from them: take other columns",
            {"ratio": ratio, "constant": constant, "outlier": outlier},
        )  # fmt: skip
    said = f"standard deviations from {used.min():.3g} to {used.max():.3g}"
    advice = []
    if constant > deviation.size / 2:
        advice.append("most features never change: leave them out (--drop)")
    if outlier > limit:
        advice.append(
            f"look at the largest values of {where!r}: are they right? a logarithm may help"
        )
    return Check(
        "scale of features",
        LOOK if advice else GOOD,
        f"{said}, 1 to {ratio:.3g}; {constant} of {deviation.size} constant; after "
        f"minitrain's standardising the largest value is {outlier:.1f}, of {where!r}",
        f"any scale, since minitrain standardises (elsewhere do so from 1 to 100 on); then below "
        f"{limit:.0f}",
        "; ".join(advice),
        {"ratio": ratio, "constant": constant, "outlier": outlier},
    )


def _outlier(patient: Patient) -> tuple[float, float, str]:
    """The largest standardised value, what is still usual, and whose it is."""
    rows = np.abs(np.asarray(patient.train.X))
    # One row of n cannot be further than (n - 1) / √n away: there it alone makes the deviation.
    limit = min(20.0, 0.9 * (len(rows) - 1) / math.sqrt(len(rows)))
    largest = rows.max(axis=0)
    return float(largest.max()), limit, str(patient.raw.feature_names[int(largest.argmax())])


def _cause(patient: Patient) -> str:
    """What ails the features themselves, if so: better advice than any on the symptoms."""
    if not np.asarray(patient.train.X).any():  # standardised: what never changes is 0
        return "no feature changes: see the scale of features"
    outlier, limit, where = _outlier(patient)
    if outlier > limit:
        return f"see the scale of features: one value of {where!r} squeezes all others together"
    return ""


def gradient(patient: Patient) -> Check:
    model = patient.network("float64")
    X, y = patient.train.X[:32].astype(float), patient.train.y[:32]
    _, g = model.loss_and_gradient(X, y)
    rng = np.random.default_rng(patient.seed)
    chosen = rng.choice(model.n_parameters, min(_TRIED, model.n_parameters), replace=False)
    errors = []
    for i in chosen:
        kept, h = model.parameters[i], 1e-5
        values = []
        for step in (h, -h):
            model.parameters[i] = kept + step
            values.append(model.evaluate(X, y)[0])
        model.parameters[i] = kept
        slope = (values[0] - values[1]) / (2 * h)
        size = max(abs(slope), abs(g[i]))
        errors.append(abs(slope - g[i]) / size if size > 1e-7 else 0.0)
    # A kink of relu between the two places spoils single ones; CS231n says so, too.
    middle, worst = float(np.median(errors)), float(np.max(errors))
    good = middle < 1e-5 and np.mean(np.array(errors) < 1e-3) > 0.9
    return Check(
        "gradient",
        GOOD if good else BAD,
        f"relative error against central differences, {len(chosen)} parameters in float64: median "
        f"{middle:.1e}, largest {worst:.1e}",
        "below 1e-5; single larger ones at the kinks of relu",
        "" if good else "the gradient is wrong: please report this data set",
        {"median": middle, "largest": worst},
    )


def initial_loss(patient: Patient) -> Check:
    model = patient.network()
    loss, _ = model.evaluate(patient.train.X, patient.train.y)
    chance = math.log(patient.train.n_classes)
    ratio = loss / chance
    good = 0.7 < ratio < 1.6
    return Check(
        "initial loss",
        GOOD if good else LOOK,
        f"{loss:.3f}; ln({patient.train.n_classes}) = {chance:.3f}",
        "about ln(classes), the loss of a guess: 0.7 to 1.6 times it",
        ""
        if good
        else "the scores are too large before any learning: scale the features, or use "
        "fewer or narrower layers",
        {"loss": loss, "chance": chance},
    )


def overfit_few(patient: Patient) -> Check:
    """CS231n: a network that cannot learn 20 rows by heart will not learn more of them."""
    X, y = patient.train.X[:_FEW], patient.train.y[:_FEW]
    model = patient.network()
    history = Trainer(model, get_optimizer("adam", lr=0.01), 10, patient.seed).fit((X, y), 200)
    loss, accuracy = model.evaluate(X, y)
    twins = len(np.unique(np.column_stack([X, y]), axis=0)) > len(np.unique(X, axis=0))
    good = accuracy == 1.0 and loss < 0.05
    advice = _cause(patient) or (
        "equal rows have different classes: look at the data" if twins
        else "the network is too small (--layers), or features and classes have nothing in common"
    )  # fmt: skip
    return Check(
        f"overfitting {len(X)} rows",
        GOOD if good else BAD,
        f"loss {loss:.2g}, accuracy {accuracy:.0%} after {len(history)} epochs of Adam(lr=0.01)",
        "loss near 0, accuracy 100 %",
        "" if good else advice,
        {"loss": loss, "accuracy": accuracy},
    )


def held_out(patient: Patient) -> Check:
    """Whether rows that were not learned from are told better than by how frequent classes are."""
    valid = patient.raw.split(seed=patient.seed)[1]
    shares = np.bincount(patient.train.y, minlength=patient.train.n_classes) / len(patient.train.y)
    guess = float(-np.log(np.maximum(shares, 1e-12))[valid.y].mean())
    trainer = Trainer(patient.network(), get_optimizer("adam", lr=0.01), 32, patient.seed)
    history = trainer.fit(patient.train, _HELD_OUT_EPOCHS, validation=valid)
    losses = np.asarray(history.validation_loss)
    loss, epoch = float(losses.min()), 1 + int(losses.argmin())
    good = loss < _BETTER * guess
    return Check(
        "held-out rows",
        GOOD if good else LOOK,
        f"lowest validation loss {loss:.3g}, after epoch {epoch} of {len(losses)} of "
        f"Adam(lr=0.01); guessing by how frequent the classes are has {guess:.3g}",
        f"below {_BETTER:g} times the guess",
        "" if good else _cause(patient)
        or "what was learned by heart does not hold elsewhere: other features, or more rows",
        {"loss": loss, "guess": guess, "epoch": epoch},
    )  # fmt: skip


def short_training(patient: Patient) -> Check:
    """Update-to-weight ratio, over a short training with the optimizer as it is set."""
    model = patient.network()
    ratios: list[float] = []
    trainer = Trainer(model, patient.optimizer, patient.batch_size, patient.seed)
    trainer.callbacks = (lambda history: ratios.append(trainer.update_ratio()),)
    try:
        history = trainer.fit(patient.train, _EPOCHS)
    except DivergenceError:
        return Check(
            "update / weights", BAD, f"{patient.optimizer!r} diverged", "about 1e-3 a step",
            "take a smaller --lr: see the range test", {},
        )  # fmt: skip
    ratio = float(np.median(ratios))
    low = ratio < 1e-4
    good = 1e-4 <= ratio <= 1e-2
    return Check(
        "update / weights",
        GOOD if good else LOOK,
        f"median {ratio:.1e} a step over {_EPOCHS} epochs of {patient.optimizer!r}; the loss went "
        f"from {history.loss[0]:.3g} to {history.loss[-1]:.3g}",
        "about 1e-3 a step, 1e-4 to 1e-2",
        "" if good else _cause(patient)
        or f"take a {'larger' if low else 'smaller'} --lr: see the range test",
        {"ratio": ratio},
    )  # fmt: skip


def dead_units(patient: Patient) -> Check:
    model = patient.network()
    with suppress(DivergenceError):  # its weights are the last good ones; short_training says it
        trainer = Trainer(model, patient.optimizer, patient.batch_size, patient.seed)
        trainer.fit(patient.train, _EPOCHS)
    layers = idle_units(model, patient.train.X)
    each = [f"{int(units.sum())} of {units.size}" for units in layers]
    share = float(np.mean(np.concatenate(layers))) if layers else 0.0
    return Check(
        "dead units",
        GOOD if share < 0.1 else LOOK if share < 0.4 else BAD,
        f"{', '.join(each) or 'no hidden layer'} pass no gradient on any training row after "
        f"{_EPOCHS} epochs",
        "below 10 %",
        "" if share < 0.1 else _cause(patient)
        or "take a smaller --lr, or --activation leaky_relu, or fewer units",
        {"share": share},
    )  # fmt: skip


def learning_rate_range(patient: Patient) -> Check:
    """The library's range test (``find_learning_rate``) beside the rate that is set."""
    found = find_learning_rate(
        patient.network(), patient.train, patient.optimizer,
        batch_size=patient.batch_size, seed=patient.seed,
    )  # fmt: skip
    lr, suggested = patient.optimizer.lr, found.suggestion
    if found.hopeless:
        return Check(
            "learning-rate range", BAD, found.remark, "the loss falls at some rate",
            "look at the data: the checks above say where", {"lr": lr},
        )  # fmt: skip
    good = suggested / _APART <= lr <= suggested * _APART
    remark = f"; {found.remark}" if found.remark else ""
    return Check(
        "learning-rate range",
        GOOD if good else LOOK,
        f"{patient.optimizer.name}: a rising rate suggests {suggested:g}; set is {lr:g}{remark}",
        f"within a factor of {_APART:g} of the suggestion, which is only where to start",
        "" if good else f"try --lr {suggested:g} (minitrain find-lr shows the curve)",
        {"suggested": suggested, "lr": lr},
    )


CHECKS: tuple[Callable[[Patient], Check], ...] = (
    class_balance, feature_scale, gradient, initial_loss, overfit_few, held_out, short_training,
    dead_units, learning_rate_range,
)  # fmt: skip
