"""The schedules beside torch.optim.lr_scheduler: golden files always, torch itself where it is."""

import importlib.util
import inspect
from pathlib import Path

import numpy as np
import pytest

from minitrain import schedule

_spec = importlib.util.spec_from_file_location(
    "golden_schedules", Path(__file__).parent / "golden" / "cases.py"
)
cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(cases)

each_case = pytest.mark.parametrize("case", cases.CASES, ids=str)
each_plateau = pytest.mark.parametrize("case", cases.PLATEAUS, ids=str)


@pytest.fixture(scope="module")
def golden():
    with np.load(cases.FILE) as file:
        return dict(file)


def assert_parity(case, expected):
    ours = schedule.get(case.ours)
    steps = np.arange(case.total)
    rates, momenta = expected
    factors = ours(steps, case.total)
    # Relative to the rate: near 0, torch's recursive forms keep the rounding of what came before.
    np.testing.assert_allclose(cases.LR * factors, rates, rtol=0, atol=1e-12 * cases.LR)
    found = ours.momenta(steps, case.total)
    if found is None:
        np.testing.assert_array_equal(momenta, 0.77)  # torch leaves the optimizer's own
    else:
        np.testing.assert_allclose(found, momenta, rtol=1e-12)


def plateau_rates(case):
    """Rates of all epochs, of 3 steps each; every one asked for when it begins."""
    ours = schedule.get(case.ours)
    values = cases.measured(case.metric)
    feedback, rates = schedule.Feedback(), []
    monitor = ours.monitor or "validation_loss"
    for epoch, value in enumerate(values):
        steps = 3 * epoch + np.arange(3)
        factors = ours(steps, 3 * len(values), 3, feedback)
        assert len(set(factors)) == 1
        rates.append(cases.LR * factors[0])
        feedback.note({monitor: value, "gradient_norm": 1.0})
    return np.array(rates)


@each_case
def test_golden(golden, case):
    assert_parity(case, golden[str(case)])


@each_plateau
def test_golden_plateau(golden, case):
    np.testing.assert_allclose(plateau_rates(case), golden[str(case)], rtol=1e-12)


def test_every_golden_run_belongs_to_a_case(golden):
    wanted = (*cases.CASES, *cases.PLATEAUS, *cases.DIFFERENT)
    assert set(golden) == {str(case) for case in wanted}


def test_where_torch_differs(golden):
    """Its cosine rises again, its plateau stops at 1e-8 and takes a loss for better that is not."""
    cosine, least, negative = (golden[str(case)] for case in cases.DIFFERENT)
    ours = cases.LR * schedule.get(cases.DIFFERENT[0].ours)(np.arange(40), 40)
    np.testing.assert_allclose(ours[:21], cosine[0, :21], atol=1e-13)
    assert not ours[20:].any()
    assert cosine[0, 39] > 0.99 * cases.LR
    assert least.min() == pytest.approx(3e-9)
    assert plateau_rates(cases.DIFFERENT[1]).min() < 1e-70
    np.testing.assert_array_equal(negative, cases.LR)  # never reduced, though nothing gets better
    assert plateau_rates(cases.DIFFERENT[2])[:3] == pytest.approx([0.3, 0.3, 0.03])


def test_what_torch_has_is_compared():
    compared = {schedule.get(case.ours).name for case in (*cases.CASES, *cases.PLATEAUS)}
    assert set(schedule.names()) - compared == {"inverse_sqrt", "warmup_stable_decay"}


# What of torch's arguments says nothing of a curve, or has no counterpart here (a function's).
NO_OPTIONS = {"optimizer", "last_epoch", "scale_fn", "scale_mode", "epochs", "steps_per_epoch",
              "max_lr", "eps"}  # fmt: skip


def test_every_option_of_torch_is_compared(torch):
    """All its schedulers, each argument with two values at least."""
    kinds = {
        name: kind
        for module in (torch.optim.lr_scheduler, torch.optim.swa_utils)
        for name, kind in vars(module).items()
        if isinstance(kind, type) and issubclass(kind, torch.optim.lr_scheduler.LRScheduler)
    }
    given = {name: [c.arguments for c in cases.CASES if c.scheduler == name] for name in kinds}
    given["ReduceLROnPlateau"] = [case.arguments for case in cases.PLATEAUS]
    assert {name for name, found in given.items() if not found} == {"LRScheduler", "_LRScheduler"}
    for name, found in given.items():
        for option in inspect.signature(kinds[name]).parameters.values() if found else ():
            values = {str(arguments.get(option.name, option.default)) for arguments in found}
            assert len(values) > 1 or option.name in NO_OPTIONS, f"{name}: {option}: {values}"


def test_parity_sees_a_wrong_schedule(golden):
    case = next(case for case in cases.CASES if case.scheduler == "StepLR")
    with pytest.raises(AssertionError):
        assert_parity(case._replace(ours="step(steps(8), 0.5)"), golden[str(case)])


# ---- live, where torch and optax are installed; where they must be, these fail, not skip ----


@each_case
def test_live(case, live):
    live("torch")  # else the golden files stand in for it
    assert_parity(case, cases.torch_rates(case))


@pytest.mark.parametrize("case", cases.DIFFERENT, ids=str)
def test_live_where_torch_differs(golden, case, live):
    live("torch")
    np.testing.assert_allclose(cases.torch_rates(case), golden[str(case)], atol=1e-15)


@each_plateau
def test_live_plateau(case, live):
    live("torch")  # else the golden files stand in for it
    np.testing.assert_allclose(plateau_rates(case), cases.torch_rates(case), rtol=1e-12)


# The formulas that torch lacks, restated; optax joins pieces in float32, so it is compared loosely.


@pytest.mark.parametrize("warmup", [1, 7, 40, 120])
def test_inverse_square_root_is_the_formula_of_the_paper(warmup):
    """lr = d^-0.5 min(step^-0.5, step · warmup^-1.5), steps from 1, scaled to a peak of 1."""
    steps = np.arange(120)
    wanted = [min(s**-0.5, s * warmup**-1.5) * warmup**0.5 for s in range(1, 121)]
    ours = schedule.inverse_sqrt(schedule.steps(warmup))(steps, 120)
    np.testing.assert_allclose(ours, wanted, rtol=1e-14)


def test_warmup_stable_decay_beside_optax(live):
    optax = live("optax")
    ours = schedule.get("warmup_stable_decay(steps(20), steps(30), 0.1)")(np.arange(100), 100)
    joined = optax.join_schedules(
        [
            optax.linear_schedule(1 / 20, 1.0, 19),
            optax.constant_schedule(1.0),
            optax.linear_schedule(1.0, 0.1, 30),
        ],
        [20, 70],
    )
    np.testing.assert_allclose(ours, [float(joined(s)) for s in range(100)], rtol=1e-6)


def test_cosine_with_warmup_beside_optax(live):
    optax = live("optax")
    joined = optax.join_schedules(
        [optax.linear_schedule(1 / 25, 1.0, 24), optax.cosine_decay_schedule(1.0, 75, 0.05)], [25]
    )
    wanted = [float(joined(s)) for s in range(100)]
    for ours in ("cosine(0.25, 0.05)", "warmup(0.25).then(cosine(end=0.05))"):
        np.testing.assert_allclose(schedule.get(ours)(np.arange(100), 100), wanted, rtol=1e-5)


@pytest.mark.parametrize(
    ("shape", "left"),
    [
        ("linear", lambda x: 1 - x),
        ("cosine", lambda x: 0.5 * (1 + np.cos(np.pi * x))),
        ("sqrt", lambda x: 1 - np.sqrt(x)),
    ],
)
def test_shapes_of_the_last_fall(shape, left):
    ours = schedule.warmup_stable_decay(0.0, 0.5, 0.2, shape)(np.arange(40), 40)
    wanted = np.concatenate([np.ones(20), 0.2 + 0.8 * left(np.arange(20) / 20)])
    np.testing.assert_allclose(ours, wanted, rtol=1e-14)
