"""What is read off the code of a rule's functions."""

import pytest

from minitrain import optimizers
from minitrain.kernels.functions import slots_left, slots_read


def swaps(p, g, a, b, c):
    if c[0]:
        return g, b, a
    return g, a, b


def changes(p, g, a, b, c):
    a = a + g
    return a, a, b


def computes(p, g, a, b, c):
    return a, a, b * b


def leaves_all(p, g, a, b, c):
    return a * g, a, b


def returns_what_it_was_given(p, g, a, b, c):
    values = g, a, b
    return values


@pytest.mark.parametrize(
    "update, left, read",
    [
        (swaps, 0b00, 0b11),
        (changes, 0b10, 0b01),
        (computes, 0b00, 0b11),
        (leaves_all, 0b11, 0b01),
        (returns_what_it_was_given, 0b00, 0b11),
        (lambda p, g, *rest: leaves_all(p, g, *rest), 0b00, 0b11),  # as a wrapper's
    ],
)
def test_slots_that_are_left_and_read(update, left, read):
    assert (slots_left(update), slots_read(update, 2)) == (left, read)


@pytest.mark.parametrize("name, left", [("dog", {"x0"}), ("prodigy", {"x0"}), ("adam", set())])
def test_first_weights_are_not_written_again(name, left):
    variant = optimizers.get(name).variant
    bits = slots_left(variant.update)
    assert {slot for k, slot in enumerate(variant.slots) if bits >> k & 1} == left
