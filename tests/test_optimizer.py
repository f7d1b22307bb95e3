import copy
import pickle

import numpy as np
import pytest

import minitrain as mt
from minitrain import optimizers
from minitrain.model import Block

each_step = pytest.mark.parametrize("which", ["step", "step_reference"])
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


# ---- getting one ----


def test_names_and_constructors():
    assert optimizers.names()[:3] == ["sgd", "momentum", "nesterov"]
    for name in optimizers.names():
        optimizer = optimizers.get(name)
        assert optimizer.name == name
        constructor = getattr(optimizers, optimizer.rule.title)
        assert constructor().rule is optimizer.rule
        assert constructor.__name__ == optimizer.rule.title
        assert optimizer.rule.paper in constructor.__doc__
        assert f"(lr={optimizer.lr}" in constructor.__doc__
        assert optimizer.rule.title in dir(optimizers)


# name: (lr, the rest), as in torch 2.13's signatures.
DEFAULTS = {
    "sgd": (1e-3, {"momentum": 0, "dampening": 0, "nesterov": False, "weight_decay": 0}),
    "momentum": (1e-3, {"momentum": 0.9, "dampening": 0, "nesterov": False}),
    "nesterov": (1e-3, {"momentum": 0.9, "dampening": 0, "nesterov": True}),
    "adagrad": (1e-2, {"lr_decay": 0, "initial_accumulator_value": 0, "eps": 1e-10}),
    "rmsprop": (1e-2, {"alpha": 0.99, "eps": 1e-8, "momentum": 0, "centered": False}),
    "adam": (1e-3, {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "amsgrad": False}),
    "adamw": (1e-3, {"beta1": 0.9, "beta2": 0.999, "weight_decay": 1e-2}),
    "nadam": (2e-3, {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "momentum_decay": 4e-3}),
    "adamax": (2e-3, {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}),
    "radam": (1e-3, {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}),
    "adadelta": (1.0, {"rho": 0.9, "eps": 1e-6}),
    "rprop": (
        1e-2,
        {"eta_minus": 0.5, "eta_plus": 1.2, "step_size_min": 1e-6, "step_size_max": 50},
    ),
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_defaults_are_those_of_torch(name):
    lr, rest = DEFAULTS[name]
    found = optimizers.get(name).hyperparameters
    assert found["lr"] == lr
    assert {key: found[key] for key in rest} == rest
    assert found["decoupled_weight_decay"] == (name == "adamw")
    assert found["decay_biases"]
    assert found["weight_decay"] == rest.get("weight_decay", 0.0)


def test_get_takes_a_name_a_rule_and_an_optimizer():
    adam = optimizers.get("Adam", lr=0.5)
    assert optimizers.get(adam) is adam
    assert optimizers.get(adam.rule).lr == 1e-3
    changed = optimizers.get(adam, eps=1e-3)
    assert (changed.lr, changed.hyperparameters["eps"]) == (0.5, 1e-3)
    assert adam.hyperparameters["eps"] == 1e-8


def test_no_such_constructor():
    for title in ("Adem", "adam", "ADAM"):
        message = rf"^optimizers: no '{title}' \(did you mean Adam\?\); there are .*Adam, AdamW"
        with pytest.raises(AttributeError, match=message):
            getattr(optimizers, title)
    with pytest.raises(AttributeError, match=r"^optimizers: no 'Xyz'; there are "):
        optimizers.Xyz  # noqa: B018


def test_no_such_name():
    with pytest.raises(ValueError, match=r"optimizer: unknown 'adm'; did you mean 'adam'\?"):
        optimizers.get("adm")


def test_repr_shows_what_was_chosen():
    assert repr(optimizers.Adam()) == "Adam(lr=0.001)"
    assert repr(optimizers.Adam(lr=0.5, amsgrad=True)) == "Adam(lr=0.5, amsgrad=True)"


def test_betas_are_beta1_and_beta2():
    pair = optimizers.Adam(betas=[0.8, 0.95]).hyperparameters
    assert pair == optimizers.Adam(beta1=0.8, beta2=0.95).hyperparameters


def test_replace_changes_the_variant():
    adam = optimizers.Adam()
    assert adam.variant.slots == ("m", "v")
    assert adam.replace(amsgrad=True).variant.slots == ("m", "v", "v_max")


# ---- what is refused ----


@pytest.mark.parametrize(
    "name, given, message",
    [
        ("adam", {"beta_1": 0.9}, r"adam: unknown hyperparameter 'beta_1'; did you mean 'beta1'\?"),
        (
            "adam",
            {"zzz": 0.9},
            r"adam: unknown hyperparameter 'zzz'\. Accepted: lr, beta1, beta2, ",
        ),
        ("sgd", {"betas": (0.9, 0.9)}, "sgd: unknown hyperparameter 'betas'"),
        ("adam", {"betas": 0.9}, r"adam: betas: 0\.9; accepted: a pair \(beta1, beta2\)"),
        ("adam", {"betas": (0.9,)}, r"adam: betas: \(0\.9,\); accepted: a pair"),
        ("adam", {"betas": (0.9, 1.0)}, r"adam: beta2: 1\.0 is out of range; accepted: \[0, 1\)"),
        ("adam", {"beta1": -0.1}, r"adam: beta1: -0\.1 is out of range; accepted: \[0, 1\)"),
        ("rmsprop", {"alpha": 1.5}, r"rmsprop: alpha: 1\.5 is out of range; accepted: \[0, 1\)"),
        (
            "adan",
            {"betas": (0.9, 0.9)},
            r"adan: betas: \(0\.9, 0\.9\); accepted: 3 numbers \(beta1, ",
        ),
        ("adan", {"beta3": 1}, r"adan: beta3: 1 is out of range; accepted: \[0, 1\)"),
        ("qhm", {"nu": 1.5}, r"qhm: nu: 1\.5 is out of range; accepted: \[0, 1\]"),
        ("qhm", {"momentum": 1}, r"qhm: momentum: 1 is out of range; accepted: \[0, 1\)"),
        ("qhadam", {"nus": (0.7, -1)}, r"qhadam: nu2: -1 is out of range; accepted: \[0, 1\]"),
        ("rprop", {"etas": (1, 2)}, r"rprop: eta_minus: 1 is out of range; accepted: \(0, 1\)"),
        ("rprop", {"eta_plus": 1}, "rprop: eta_plus: 1 is out of range; accepted: finite, above 1"),
        ("rprop", {"lr": 0}, "rprop: lr: 0 is out of range; accepted: finite, above 0"),
        ("rprop", {"step_sizes": (2, 1)}, "rprop: step_size_min: 2 is above step_size_max: 1"),
        ("rprop", {"step_sizes": 1}, r"rprop: step_sizes: 1; accepted: a pair \(step_size_min, st"),
        (
            "rprop",
            {"step_size": 1},
            "rprop: unknown hyperparameter 'step_size'; did you mean 'step_",
        ),
        (
            "ademamix",
            {"alpha": -1},
            "ademamix: alpha: -1 is out of range; accepted: finite, at lea",
        ),
        ("adadelta", {"rho": 1}, r"adadelta: rho: 1 is out of range; accepted: \[0, 1\)"),
        ("signum", {"beta": 1}, r"signum: beta: 1 is out of range; accepted: \[0, 1\)"),
        ("lion", {"eps": 1}, r"lion: unknown hyperparameter 'eps'\. Accepted: lr, beta1, beta2"),
        ("adam", {"lr": -1}, "adam: lr: -1 is out of range; accepted: finite, at least 0"),
        ("adam", {"lr": float("nan")}, "adam: lr: nan is out of range"),
        ("adam", {"lr": float("inf")}, "adam: lr: inf is out of range"),
        ("adam", {"lr": "fast"}, "adam: lr: 'fast' is not a number"),
        ("adam", {"lr": None}, "adam: lr: None is not a number"),
        ("adam", {"eps": -1e-8}, "adam: eps: -1e-08 is out of range"),
        ("adam", {"weight_decay": -1}, "adam: weight_decay: -1 is out of range"),
        ("adam", {"amsgrad": 1}, "adam: amsgrad: 1; accepted: True or False"),
        ("adam", {"decay_biases": "no"}, "adam: decay_biases: 'no'; accepted: True or False"),
        ("sgd", {"nesterov": True}, "sgd: nesterov=True needs momentum > 0 and dampening = 0"),
        ("nesterov", {"dampening": 0.1}, "nesterov: nesterov=True needs momentum > 0 and damp"),
        ("nesterov", {"momentum": 0}, "nesterov: nesterov=True needs momentum > 0 and dampening"),
    ],
)
def test_a_bad_hyperparameter(name, given, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        optimizers.get(name, **given)


@pytest.mark.parametrize(
    "name, given, nearest",
    [
        ("sgd", {"learning_rate": 0.1}, "lr"),
        ("adam", {"wd": 0.1}, "weight_decay"),
        ("rmsprop", {"rho": 0.9}, "alpha"),
        ("adadelta", {"alpha": 0.9}, "rho"),
        ("momentum", {"mu": 0.9}, "momentum"),
        ("adam", {"epsilon": 1e-7}, "eps"),
        ("adam", {"clipnorm": 1.0}, "clip_norm"),
    ],
)
def test_a_name_from_elsewhere(name, given, nearest):
    with pytest.raises(ValueError, match=rf"; did you mean '{nearest}'\? Accepted: lr, "):
        optimizers.get(name, **given)


def test_something_else_than_an_optimizer():
    with pytest.raises(TypeError, match=r"^optimizer: 3; accepted: a name such as 'adam', a rule"):
        optimizers.get(3)


@pytest.mark.parametrize(
    "name, given",
    [
        ("muon", {"ns_steps": 2.5}),
        ("soap", {"precondition_frequency": 2.5}),
        ("shampoo", {"update_every": 0.5}),
    ],
)
def test_counts_are_whole_numbers(name, given):
    ((count, value),) = given.items()
    with pytest.raises(ValueError, match=rf"^{name}: {count}: {value} is out of range; .* whole "):
        optimizers.get(name, **given)


def test_numbers_of_any_kind_are_numbers():
    adam = optimizers.Adam(lr=np.float32(0.5), eps=0, amsgrad=np.True_)
    assert adam.hyperparameters["lr"] == 0.5
    assert adam.hyperparameters["amsgrad"] is True
    assert isinstance(adam.hyperparameters["eps"], float)


@pytest.mark.parametrize(
    "params, error, message",
    [
        ([1.0], TypeError, "params: list; accepted: a NumPy array of float32 or float64"),
        (np.ones(3, int), TypeError, "params: int64; accepted"),
        (np.ones(3, "float16"), TypeError, "params: float16; accepted"),
        (np.ones(3, ">f8"), TypeError, "params: >f8; accepted"),
        (np.ones((2, 3)), ValueError, r"params: shape \(2, 3\); accepted: a flat, contiguous"),
        (np.ones(6)[::2], ValueError, r"params: shape \(3,\), not contiguous; accepted: a flat"),
        (np.ones(6)[::-1], ValueError, r"params: shape \(6,\), not contiguous; accepted: a flat"),
        (np.float64(1), TypeError, "params: float64; accepted"),
    ],
)
def test_parameters_that_no_kernel_takes(params, error, message):
    with pytest.raises(error, match=f"^{message}"):
        optimizers.Adam().init(params)


@each_step
@pytest.mark.parametrize(
    "params, gradient, error, message",
    [
        (np.ones(4), np.ones(3), ValueError, "params: 4 numbers; the state is for 3"),
        (np.ones(3), np.ones(4), ValueError, "gradient: 4 numbers; the state is for 3"),
        (np.ones(3), np.ones(6)[::2], ValueError, r"gradient: shape \(3,\), not contiguous"),
        (np.ones(6)[::2], np.ones(3), ValueError, r"params: shape \(3,\), not contiguous"),
        (np.ones(3), np.ones((3, 1)), ValueError, r"gradient: shape \(3, 1\); accepted"),
        (np.ones(3), [0.0] * 3, TypeError, "gradient: list; accepted: a NumPy array"),
        (np.ones(3), np.ones(3, "f4"), TypeError, "params, gradient and state: float64, float32, "),
        (np.ones(3, "f4"), np.ones(3, "f4"), TypeError, "params, .*: float32, float32, float64; "),
        (np.frombuffer(bytes(24)), np.ones(3), ValueError, "params: read-only; a step is made in "),
    ],
)
def test_a_step_that_cannot_be_made(params, gradient, error, message, which):
    momentum = optimizers.get("momentum")
    state = momentum.init(np.ones(3))
    with pytest.raises(error, match=f"^{message}"):
        getattr(momentum, which)(params, gradient, state)
    assert state.t == 0


# ---- state ----


@each_dtype
@pytest.mark.parametrize("name", optimizers.names())
def test_fresh_state(name, dtype):
    optimizer = optimizers.get(name)
    state = optimizer.init(np.ones(5, dtype))
    assert state.t == 0
    assert tuple(state.slots) == optimizer.variant.slots
    for slot in state.slots.values():
        assert slot.shape == (5,)
        assert slot.dtype == dtype
        assert slot.ctypes.data % 64 == 0
    starts = optimizer.rule.start
    for slot_name, slot in state.slots.items():
        values = {**optimizer.hyperparameters, "p": 1.0}
        begin = values[starts[slot_name]] if slot_name in starts else 0.0
        np.testing.assert_array_equal(slot, slot.dtype.type(begin))


def test_a_slot_that_starts_elsewhere():
    adagrad = optimizers.Adagrad(initial_accumulator_value=0.25)
    assert adagrad.init(np.ones(5)).slots["h"].tolist() == [0.25] * 5


@each_step
@pytest.mark.parametrize(
    "other",
    [
        optimizers.Adam(amsgrad=True),  # which has a slot more
        optimizers.Adam(eps=1.0),
        optimizers.Adam(weight_decay=0.1),
        optimizers.Adam(ema=0.9),
        optimizers.SGD(),
        optimizers.LAMB(),
        optimizers.Muon(),
    ],
    ids=repr,
)
def test_the_state_of_another_optimizer(other, which):
    """It would be read beyond its end, or its hyperparameters would be used in silence."""
    theta, state = np.ones(3), optimizers.Adam(lr=0.1).init(np.ones(3))
    with pytest.raises(
        ValueError, match=r"^state: made by Adam\(lr=0\.1\)\.init; accepted: that of "
    ):
        getattr(other, which)(theta, np.ones(3), state)
    np.testing.assert_array_equal(theta, 1.0)
    assert state.t == 0


@each_step
@pytest.mark.parametrize("name", ["adam", "muon"])
def test_a_copied_state_goes_on_at_another_rate(name, which):
    optimizer, blocks = optimizers.get(name, lr=0.1), [Block("W", 0, 4, (2, 2))]
    ends = []
    for again in (lambda x: x, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))):
        theta, state = np.ones(4), optimizer.init(np.ones(4), blocks)
        for lr in (0.1, 0.2):
            getattr(again(optimizer).replace(lr=lr), which)(theta, np.arange(4.0), state)
            state = again(state)
        ends.append(theta)
    np.testing.assert_array_equal(ends[1:], ends[:-1])


def test_two_states_of_one_optimizer_are_apart():
    momentum = optimizers.get("momentum")
    theta, one = np.zeros(3), np.ones(3)
    first, second = momentum.init(theta), momentum.init(theta)
    momentum.step(theta, one, first)
    assert (first.t, second.t) == (1, 0)
    assert not second.slots["v"].any()


@each_step
@each_dtype
@pytest.mark.parametrize("name", optimizers.names())
def test_no_parameters_at_all(name, dtype, which):
    optimizer = optimizers.get(name)
    nothing = np.zeros(0, dtype)
    for blocks in (None, [Block("W", 0, 0, (0, 3)), Block("b", 0, 0, (0,))]):
        state = optimizer.init(nothing, blocks)
        getattr(optimizer, which)(nothing, nothing.copy(), state)
        assert state.t == 1


@each_step
def test_a_gradient_may_be_read_only_and_unaligned(which):
    raw = np.frombuffer(bytes(4) + np.full(3, 2.0).tobytes() + bytes(4), np.uint8)[4:-4]
    gradient = raw.view(np.float64)
    assert not gradient.flags.writeable
    theta = np.zeros(3)
    sgd = optimizers.SGD(lr=0.5)
    getattr(sgd, which)(theta, gradient, sgd.init(theta))
    np.testing.assert_array_equal(theta, -1.0)


@each_step
def test_a_step_of_a_network(which):
    """As the trainer takes it: the views change, and biases are left out of the decay."""
    model = mt.MLP([3, 4, 2], seed=0)
    model.parameters[:] = 1.0
    adamw = optimizers.AdamW(lr=0.1, weight_decay=0.5, decay_biases=False)
    state = adamw.init(model.parameters, model.blocks)
    getattr(adamw, which)(model.parameters, np.zeros_like(model.parameters), state)
    for W, b in zip(model.weights, model.biases, strict=True):
        np.testing.assert_array_equal(W, np.float32(0.95))
        np.testing.assert_array_equal(b, 1.0)


def test_kernels_take_a_dtype_by_name():
    adam = optimizers.Adam()
    assert adam.kernels("float32") is adam.kernels(np.dtype("float32"))


# ---- a rule of one's own that does not work says so in words ----


def fine(p, g, m, c):
    (beta,) = c
    return g, beta * m + g


def alone(p, g, m, c):
    return g


def too_many(p, g, m, c):
    return g, m, m


def other_numbers(p, g, m, c):
    beta, _ = c
    return g, beta * m


def branches(p, g, m, c):
    if g > p:
        return g, m
    return p, m


def misspelt(p, g, m, c):
    return gg, m  # noqa: F821


@pytest.mark.parametrize(
    "update, message",
    [
        (alone, r"update returns ndarray; accepted: a tuple \(direction, m\)$"),
        (too_many, r"update returns 3 values; accepted: a tuple \(direction, m\)$"),
        (other_numbers, r"update cannot be computed: not enough .*, and a c of 1 numbers$"),
        (branches, r"update cannot be computed: The truth value .* np\.where in place of if"),
        (misspelt, r"update cannot be computed: name 'gg' is not defined; accepted"),
    ],
)
def test_a_rule_that_does_not_work(update, message, own_registry):
    mt.rule("mine", lr=0.1, beta=0.9)(fine)
    optimizers.get("mine")
    mt.rule("mine", lr=0.1, beta=0.9)(update)
    with pytest.raises(ValueError, match=f"^mine: {message}"):
        optimizers.get("mine")


# ---- sent to another process ----


def test_pickled_by_name_and_values():
    sent = optimizers.Adam(lr=0.02, beta1=0.8, amsgrad=True, weight_decay=0.1)
    received = pickle.loads(pickle.dumps(sent))
    assert received.rule is sent.rule
    assert received.hyperparameters == sent.hyperparameters
    assert received.variant is sent.variant


def test_a_divergence_is_pickled_with_what_it_knows():
    error = mt.DivergenceError(optimizers.SGD(lr=9.0), 3, 41, None)
    received = pickle.loads(pickle.dumps(error))
    assert str(received) == str(error)
    assert (received.epoch, received.step) == (3, 41)
