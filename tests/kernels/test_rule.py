"""The ``@rule`` decorator: what it reads from a function, and what it refuses."""

import importlib
import pkgutil
import re

import numpy as np
import pytest

import minitrain.kernels.rules  # noqa: F401 - registers them
from minitrain.kernels import rule as rules
from minitrain.kernels.rule import code_hash, rule

pytestmark = pytest.mark.usefixtures("own_registry")
MU = 0.9


def plain(p, g, v, c):
    """Momentum.

    v <- beta * v + g
    """
    (beta,) = c
    v = beta * v + g
    return v, v


def test_what_a_rule_says_of_itself():
    made = rule("mine", lr=0.01, beta=0.9, paper="Me (2026)")(plain)
    assert rules.get("mine") is made
    assert rules.get("MINE") is made
    assert rules.names()[-1] == "mine"
    assert made.title == "mine"
    assert made.doc.startswith("Momentum.\n\nv <- beta")
    assert made.hyperparameters == ("beta",)
    assert made.takes == ("beta",)
    assert made.flags == frozenset()
    assert dict(made.defaults) == {
        "lr": 0.01,
        "beta": 0.9,
        "weight_decay": 0.0,
        "decoupled_weight_decay": False,
        "decay_biases": True,
    }
    assert repr(made).startswith("<rule mine(lr=0.01, beta=0.9, weight_decay=0.0")
    assert made.choose(made.defaults).slots == ("v",)


def test_without_coefficients_c_holds_the_hyperparameters():
    made = rule("mine", lr=0.01, beta=0.9, fast=True)(plain)
    inputs = made.inputs(made.defaults)
    assert inputs == [0.9, 1.0]
    assert made.evaluate(7, [], inputs) == ((0.9, 1.0), ())


def test_coefficients_take_what_they_name():
    def coefficients(t, done, beta):
        return (beta * t,), (done + 1.0,)

    made = rule("mine", lr=0.01, alpha=0.5, beta=0.9, coefficients=coefficients, carry={"done": 3})(
        plain
    )
    assert made.takes == ("beta",)
    assert made.evaluate(2, [3.0], [0.9]) == ((1.8,), (4.0,))


def test_a_cell_that_runs_again_replaces_its_rule():
    rule("mine", lr=0.01, beta=0.9)(plain)
    again = rule("mine", lr=0.02, beta=0.9)(plain)
    assert rules.get("mine") is again
    assert rules.names().count("mine") == 1


def test_a_rule_of_ones_own_does_not_replace_one_of_ours():
    ours = rules.get("adam")
    with pytest.raises(ValueError, match="'adam' is an optimizer of minitrain's; choose another"):
        rule("adam", lr=0.01, beta=0.9)(plain)
    assert rules.get("adam") is ours


def test_what_is_built_in():
    scope = {}
    exec("def update(p, g, c):\n    return (g,)", scope)  # that has no module
    assert not rule("mine", lr=0.01)(scope["update"]).is_built_in
    assert not rule("other", lr=0.01, beta=0.9)(plain).is_built_in
    assert rules.get("adam").is_built_in


def test_derive_keeps_the_kernels_and_changes_defaults():
    made = rule("mine", lr=0.01, beta=0.9)(plain)
    other = made.derive("other", title="Other", paper="You", doc="Other.\n    More.", lr=0.5)
    assert rules.get("other") is other
    assert other.defaults["lr"] == 0.5
    assert made.defaults["lr"] == 0.01
    assert other.choose(other.defaults) is made.choose(made.defaults)
    assert other.doc == "Other.\nMore."


def test_variants_are_chosen_by_flags():
    made = rule("mine", lr=0.01, beta=0.9, fast=False, momentum=0.0)(plain)

    @made.variant("fast")
    def fast(p, g, c):
        return (g,)

    values = dict(made.defaults)
    assert made.flags == {"fast"}
    assert made.choose({**values, "fast": True}).update is fast
    assert made.choose({**values, "momentum": 0.5}).update is plain

    made.variant("fast", "momentum")(fast)
    with pytest.raises(ValueError, match=r"mine: momentum cannot be combined; accepted: none of"):
        made.choose({**values, "momentum": 0.5})


def test_unknown_names_point_to_the_nearest():
    with pytest.raises(ValueError, match=r"optimizer: unknown 'adamm'; did you mean 'adam'\? Acc"):
        rules.get("adamm")
    with pytest.raises(ValueError, match=r"unknown 'zzz'\. Accepted: sgd, momentum, nesterov, "):
        rules.get("zzz")


@pytest.mark.parametrize("name", ["My Rule", "Adam", "1st", "", "a-b", "a\n"])
def test_names_that_no_command_line_could_take(name):
    with pytest.raises(ValueError, match="is not of the form lower_case_with_digits"):
        rule(name, lr=0.1)(plain)


@pytest.mark.parametrize(
    "update",
    [
        lambda g, p, c: (g,),
        lambda p, g, v: (g, v),
        lambda p, g: (g,),
        lambda theta, g, c: (g,),
        lambda c: (c,),
    ],
)
def test_a_wrong_signature(update):
    with pytest.raises(ValueError, match=r"mine: update\(.*\) is not of the form update\(p, g, \*"):
        rule("mine", lr=0.1)(update)


def closure(number):
    return lambda p, g, c: (number * g,)


@pytest.mark.parametrize(
    "number, update",
    [
        (0.5, lambda p, g, c: (0.5 * g,)),
        (2, lambda p, g, c: (g**2,)),
        (-1.0, lambda p, g, c: (-1.0 * g,)),
        (1, lambda p, g, c: (c[0] * g + 1,)),
        (0, lambda p, g, c: (np.where(g > 0, g, p),)),
        (0.9, lambda p, g, c: (MU * g,)),
        (0.3, closure(0.3)),
        (np.pi, lambda p, g, c: (np.pi * g,)),
        (np.float64(0.7), closure(np.float64(0.7))),
    ],
)
def test_a_number_in_an_update(number, update):
    """It would be float64 in a float32 kernel, and float32 in NumPy."""
    with pytest.raises(ValueError, match=re.escape(f"mine: update holds the number {number!r}")):
        rule("mine", lr=0.1)(update)


def test_numbers_in_a_tuple_and_in_a_variant():
    def pair(p, g, c):
        a, b = 0.25, 0.75
        return (a * g + b * p,)

    with pytest.raises(ValueError, match=r"holds the number 0\.25"):
        rule("mine", lr=0.1)(pair)
    made = rule("mine", lr=0.1, beta=0.9, fast=False)(plain)
    with pytest.raises(ValueError, match=r"holds the number 0\.25"):
        made.variant("fast")(pair)


def test_what_is_no_number_in_the_arithmetic():
    flag = True

    def update(p, g, v, c):
        """0.5 in a docstring, c[0] and c[1], True and None."""
        if flag is None:
            return p, v
        v = c[0] * v + c[1] * g
        return np.sqrt(v), v

    rule("mine", lr=0.1, a=0.5, b=0.5)(update)


@pytest.mark.parametrize(
    "coefficients, carry",
    [
        (lambda beta: (beta,), {}),
        (lambda t, gamma: (gamma,), {}),
        (lambda t, beta: ((beta,), ()), {"done": 1.0}),
        (lambda t, beta, done: ((beta,), (done,)), {"done": 1.0}),
    ],
)
def test_coefficients_that_do_not_fit(coefficients, carry):
    with pytest.raises(ValueError, match=r"mine: coefficients\(.*\) must take t.*: beta$"):
        rule("mine", lr=0.1, beta=0.9, coefficients=coefficients, carry=carry)(plain)


def test_coefficients_of_a_rule_without_hyperparameters():
    with pytest.raises(ValueError, match=r"any of: \(no hyperparameters\)$"):
        rule("mine", lr=0.1, coefficients=lambda t, beta: (beta,))(plain)


def test_code_hash_sees_code_and_captures_and_nothing_else():
    def with_factor(factor, by=code_hash):
        return lambda x: factor * by(x)

    def same(x):
        return x + x

    def renamed(x):
        # A comment and another place change nothing.

        return x + x

    assert code_hash(same) == code_hash(renamed)
    assert code_hash(same) != code_hash(lambda x: x * x)
    assert code_hash(with_factor(2.0)) == code_hash(with_factor(2.0))
    assert code_hash(with_factor(2.0)) != code_hash(with_factor(3.0))
    assert code_hash(with_factor(2.0, same)) == code_hash(with_factor(2.0, renamed))
    assert code_hash(with_factor(2.0, same)) != code_hash(with_factor(2.0, plain))


def test_every_file_in_the_folder_is_a_registered_rule():
    folder = importlib.import_module("minitrain.kernels.rules")
    files = {module.name for module in pkgutil.iter_modules(folder.__path__)}
    assert files == set(rules.names())


@pytest.mark.parametrize("name", rules.names())
def test_every_rule_explains_itself(name):
    """Its equation, its source, and how it is written in code."""
    found = rules.get(name)
    assert ("<- " if found.own_step else "p <- p - lr") in found.doc
    assert re.search(r"\((19|20)\d\d\)", found.paper)
    assert re.fullmatch(r"[A-Z]\w+", found.title)
