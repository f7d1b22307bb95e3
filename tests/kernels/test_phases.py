"""Steps in phases: with the compiler or without, the unfused twin's numbers.

Small enough for plain Python, where coverage sees what modifiers, sums and wrappers do.
"""

import numpy as np
import pytest

import minitrain as mt
from minitrain import optimizers
from minitrain.kernels._jit import COMPILED
from minitrain.model import Block

BLOCKS = [Block("W", 0, 12, (4, 3)), Block("b", 12, 15, (3,)), Block("V", 15, 21, (3, 2)),
          Block("c", 21, 23, (2,))]  # fmt: skip
P = 23
X, Y = np.random.RandomState(0).standard_normal((11, 2)), np.arange(11) % 2

STEPS = [
    # Plain Python draws whole portions of noise for half a minute.
    pytest.param("sgd", {"noise": 0.1, "noise_seed": 5}, marks=pytest.mark.compiled),
    ("sgd", {"centralize": True, "clip_value": 0.5}),
    ("sgd", {"clip_norm": 0.5}),
    ("momentum", {"clip_global_norm": 0.5, "lookahead": 2}),
    ("adam", {"cautious": True, "swa_start": 2}),
    ("lamb", {"cautious": True, "ema": 0.5}),
    ("prodigy", {"cautious": True}),
    ("schedule_free_sgd", {"lookahead": 2, "ema": 0.5}),
]


@pytest.mark.parametrize("name, given", STEPS, ids=str)
def test_steps_have_the_numbers_of_their_twin(name, given):
    optimizer = optimizers.get(name, weight_decay=0.1, decay_biases=False, **given)
    start = np.linspace(-1, 1, P)
    one, other = start.copy(), start.copy()
    state, twin = optimizer.init(one, BLOCKS), optimizer.init(other, BLOCKS)
    for gradient in np.random.RandomState(1).standard_normal((5, P)):
        optimizer.step(one, gradient, state)
        optimizer.step_reference(other, gradient, twin)
        np.testing.assert_array_equal(one, other)
        seen = optimizer.evaluated(one, state)
        np.testing.assert_array_equal(seen, optimizer.evaluated(other, twin))
    np.testing.assert_array_equal(state.arrays.slots, twin.arrays.slots)
    assert not np.allclose(one, start)


# One at a time, and all that go together.
MODIFIERS = [
    {"clip_value": 0.5},
    {"clip_norm": 0.5},
    {"clip_global_norm": 0.5},
    {"l1": 0.1},
    {"centralize": True},
    {"lookahead": 3},
    {"cautious": True},
    {"ema": 0.9},
    {"swa_start": 3, "swa_every": 2},
    {"layer_lr": (0.5, 2.0)},
    {"weight_decay": 0.1, "decoupled_weight_decay": False},
    {"weight_decay": 0.1, "decoupled_weight_decay": True, "decay_biases": False},
    {"cautious": True, "ema": 0.5, "lookahead": 2, "clip_norm": 0.1, "centralize": True,
     "l1": 0.01, "weight_decay": 0.1, "layer_lr": (0.5, 2.0)},
]  # fmt: skip
# To compile all of them would take many minutes; as plain Python it is the same code.
MATRIX = [name for name in optimizers.matrix_names() if name != "lbfgs"]
EVERY_RULE = ["adam"] if COMPILED else [*optimizers.names(), *MATRIX]


@pytest.mark.parametrize("given", MODIFIERS, ids=str)
@pytest.mark.parametrize("name", EVERY_RULE)
def test_any_modifier_with_any_rule(name, given):
    optimizer = optimizers.get(name, **given)
    ends = []
    for which in ("step", "step_reference"):
        theta = np.linspace(-1, 1, P)
        state = optimizer.init(theta, BLOCKS)
        for gradient in np.random.RandomState(1).standard_normal((5, P)):
            getattr(optimizer, which)(theta, gradient, state)
        ends.append([theta, optimizer.evaluated(theta, state)])
    np.testing.assert_array_equal(*ends)
    assert np.isfinite(ends).all()
    assert not np.allclose(theta, np.linspace(-1, 1, P), rtol=1e-9)


TRAININGS = [
    ("sgd", {"clip_global_norm": 0.1}, 1),
    ("adam", {"sam": 0.05, "clip_norm": 0.1, "lookahead": 2}, 2),
    ("lamb", {"cautious": True, "ema": 0.5}, 1),
]


@pytest.mark.parametrize("name, given, accumulate", TRAININGS, ids=str)
def test_a_training_is_the_plain_loop(name, given, accumulate):
    optimizer = optimizers.get(name, **given)
    model = mt.MLP([2, 3, 2], "tanh", dtype="float64", seed=1)
    theta, sam = model.parameters.copy(), optimizer.modifiers.sam
    mt.Trainer(model, optimizer, 4, seed=2, accumulate=accumulate).fit((X, Y), 2)

    plain, stepping = mt.MLP([2, 3, 2], "tanh", dtype="float64"), optimizer.replace(sam=None)
    state, loader = (
        stepping.init(theta, plain.blocks),
        mt.MiniBatchLoader(X, Y, 4 * accumulate, seed=2),
    )
    for _ in range(2):
        for x, y in loader:
            plain.parameters[:] = theta
            _, gradient = plain.loss_and_gradient(x, y)
            if sam:
                plain.parameters[:] = theta + sam / (np.linalg.norm(gradient) + 1e-12) * gradient
                _, gradient = plain.loss_and_gradient(x, y)
            stepping.step_reference(theta, gradient, state)
    expected = stepping.evaluated(theta, state)
    assert np.linalg.norm(model.parameters - expected) <= 1e-13 * np.linalg.norm(expected)
