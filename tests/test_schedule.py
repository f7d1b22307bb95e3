"""Learning-rate schedules: pure functions of the step."""

import numpy as np
import pytest

from minitrain.schedule import constant, cosine


def factors(schedule, total):
    return schedule(np.arange(total), total)


def test_constant():
    np.testing.assert_array_equal(factors(constant, 7), np.ones(7))


def test_cosine_falls_from_one_towards_zero():
    f = factors(cosine(), 100)
    assert f[0] == 1
    assert f[50] == pytest.approx(0.5)
    assert (np.diff(f) < 0).all()
    assert 0 < f[-1] < 3e-4  # the last step still moves


def test_warmup_rises_linearly_then_falls():
    f = factors(cosine(0.2), 50)
    np.testing.assert_allclose(f[:10], np.arange(1, 11) / 10)
    assert f[10] == 1
    assert (np.diff(f[10:]) < 0).all()


@pytest.mark.parametrize("total", [1, 2, 3, 7, 25, 999])
@pytest.mark.parametrize("warmup", [0.0, 0.01, 0.1, 0.25, 0.5, 0.99])
def test_factors_are_in_the_unit_interval(total, warmup):
    """Also where the warm-up is not a whole number of steps, or less than one."""
    f = factors(cosine(warmup), total)
    assert f.shape == (total,)
    assert (f > 0).all()
    assert (f <= 1).all()


def test_any_step_can_be_asked_for_alone():
    whole = factors(cosine(0.1), 77)
    alone = [cosine(0.1)(np.array([step]), 77)[0] for step in range(77)]
    np.testing.assert_allclose(alone, whole, rtol=1e-15)


@pytest.mark.parametrize("warmup", [-0.1, 1.0, float("nan")])
def test_wrong_warmup(warmup):
    with pytest.raises(ValueError, match=f"warmup: {warmup}; accepted: a fraction from 0"):
        cosine(warmup)
