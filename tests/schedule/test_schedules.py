"""Schedules: pure functions of the step."""

import math
import pickle

import numpy as np
import pytest

from minitrain import schedule
from minitrain.schedule import constant, cosine, epochs, get, names, steps, warmup

COMBINED = (
    "warmup(epochs(2)).then(cosine())",
    "warmup(steps(9)) * step(every=epochs(3)) * 0.5",
    "(constant * 0.1).then(one_cycle(momentum=(0.8, 0.9)), after=0.25)",
    "cyclic(momentum=(0.8, 0.9)).then(constant, after=epochs(4)).then(linear(), after=0.9)",
)
ALL = (
    *names(),
    *COMBINED,
    "one_cycle(momentum=(0.85, 0.95))",
    "cyclic(mode='exp_range', gamma=0.9)",
)
each = pytest.mark.parametrize("text", ALL)


def factors(chosen, total, steps_per_epoch=7):
    return get(chosen)(np.arange(total), total, steps_per_epoch)


# All of them


@each
@pytest.mark.parametrize("total", [1, 2, 3, 7, 25, 333])
def test_factors_are_finite_and_at_least_zero(text, total):
    f = factors(text, total)
    assert f.shape == (total,)
    assert f.dtype == np.float64
    assert (f >= 0).all()
    assert (f <= 1 + 1e-15).all()


@each
def test_no_training_is_without_a_step_that_moves(text):
    for total in (1, 2, 5, 40):
        assert factors(text, total).max() > 0


@each
def test_any_step_can_be_asked_for_alone_and_in_any_order(text):
    """The same bits: torch's recursive forms depend on how they came there (pytorch#20086)."""
    whole, total = factors(text, 77), 77
    alone = [get(text)(np.array([step]), total, 7)[0] for step in range(total)]
    assert alone == whole.tolist()
    mixed = np.random.default_rng(0).permutation(total)
    np.testing.assert_array_equal(get(text)(mixed, total, 7), whole[mixed])


@each
def test_resumed_at_any_step_is_uninterrupted(text):
    """With a new object from its text: there is no state to lose (pytorch PR#180200)."""
    whole = factors(text, 60)
    moved = get(text).momenta(np.arange(60), 60, 7)
    for cut in range(60):
        resumed = get(repr(get(text)))
        np.testing.assert_array_equal(resumed(np.arange(cut, 60), 60, 7), whole[cut:])
        if moved is not None:
            found = resumed.momenta(np.arange(cut, 60), 60, 7)
            np.testing.assert_array_equal(found, moved[cut:])


@each
def test_asking_changes_nothing(text):
    """torch's wrapped schedulers change the rate when they are made (pytorch#196243)."""
    chosen = get(text)
    before = chosen(np.arange(30), 30, 7)
    warmup(0.1).then(chosen)(np.arange(90), 90, 7)
    chosen(np.arange(50, 70), 999, 5)
    (chosen * 0.5)(np.arange(3), 4, 2)
    np.testing.assert_array_equal(chosen(np.arange(30), 30, 7), before)


@each
def test_text_pickle_and_value_are_the_same(text):
    chosen = get(text)
    assert get(repr(chosen)) == chosen
    assert repr(get(repr(chosen))) == repr(chosen)
    assert pickle.loads(pickle.dumps(chosen)) == chosen
    assert hash(get(text)) == hash(chosen)
    assert get(chosen) is chosen
    assert eval(repr(chosen), vars(schedule)) == chosen  # it prints as what makes it


@pytest.mark.parametrize("name", names())
def test_public_names(name):
    public = getattr(schedule, name)
    assert name in schedule.__all__
    assert get(public) == get(name)
    kind = type(get(name))
    assert kind.__doc__.splitlines()[0].endswith(".")
    assert kind.torch


def test_different_schedules_differ():
    assert cosine(0.1) != cosine(0.2)
    assert cosine() != constant
    assert cosine(steps(5)) != cosine(epochs(5))
    assert len({cosine(0.1), cosine(0.1), cosine(), constant}) == 3


# One by one; the curves of torch's are in test_parity.py


def test_constant():
    np.testing.assert_array_equal(factors(constant, 7), np.ones(7))


def test_cosine_falls_from_one_towards_zero():
    f = factors(cosine(), 100)
    assert f[0] == 1
    assert f[50] == pytest.approx(0.5)
    assert (np.diff(f) < 0).all()
    assert 0 < f[-1] < 3e-4  # the last step still moves


def test_cosine_stays_where_it_ended():
    """torch's rises again after T_max; where a period is wanted there is cosine_restarts."""
    f = factors("cosine(end=0.1, duration=steps(10))", 40)
    np.testing.assert_array_equal(f[10:], 0.1)


def test_warmup_rises_linearly_then_falls():
    f = factors(cosine(0.2), 50)
    np.testing.assert_allclose(f[:10], np.arange(1, 11) / 10)
    assert f[10] == 1
    assert (np.diff(f[10:]) < 0).all()


@pytest.mark.parametrize("total", [1, 2, 3, 7, 25, 999])
@pytest.mark.parametrize("warmup", [0.0, 0.01, 0.1, 0.25, 0.5, 0.99])
def test_cosine_is_above_zero(total, warmup):
    """Also where the warm-up is not a whole number of steps, or less than one."""
    f = factors(cosine(warmup), total)
    assert (f > 0).all()


def test_half_cosine_is_precise_where_it_is_small():
    from minitrain.schedule.curves import half_cosine

    x = np.concatenate([np.linspace(0, 1, 1001), 1 - np.logspace(-9, -1, 50)])
    wanted = [math.sin(math.pi / 2 * (1 - v)) ** 2 for v in x]
    np.testing.assert_allclose(half_cosine(x), wanted, rtol=1e-15)
    assert half_cosine(np.array([-1.0, 0.0, 1.0, 2.0])).tolist() == [1, 1, 0, 0]


def test_half_cosine_has_the_same_bits_on_every_machine():
    from minitrain.schedule.curves import half_cosine

    found = [v.hex() for v in half_cosine(np.array([0.1, 0.37, 0.5, 0.9, 0.999])).tolist()]
    assert found == [
        "0x1.f378709a22a82p-1", "0x1.65ab7bf1f3a71p-1", "0x1.ffffffffffffep-2",
        "0x1.90f1ecbbab008p-6", "0x1.4b2b2fc02d8d6p-19",
    ]  # fmt: skip


def test_restarts_are_at_the_exact_steps():
    """As sums of whole numbers; by a logarithm, torch's way to jump there, some are missed."""
    f = factors("cosine_restarts(steps(3), 3)", 3 * (3**7 - 1) // 2 + 1)
    assert np.flatnonzero(f == 1).tolist() == [3 * (3**n - 1) // 2 for n in range(8)]


def test_default_restarts_end_with_the_training():
    f = factors("cosine_restarts", 700)
    assert np.flatnonzero(f == 1).tolist() == [0, 100, 300]
    assert f[-1] < 1e-4


def test_epochs_are_the_steps_of_whole_epochs():
    for text in ("step(every={}(2), factor=0.5)", "warmup({}(3))", "multistep([{}(1), {}(4)])"):
        in_epochs, in_steps = text.replace("{}", "epochs"), text.replace("{}", "steps")
        for number in (1, 2, 3, 4):
            in_steps = in_steps.replace(f"steps({number})", f"steps({7 * number})", 1)
        np.testing.assert_array_equal(factors(in_epochs, 50), factors(in_steps, 50))


def test_fractions_are_not_spoilt_by_rounding():
    """0.1 * 30 is 3.0000000000000004, and 0.29 * 100 is 28.999999999999996."""
    assert factors("step(every=0.1)", 30)[3] == 0.1
    assert np.argmin(factors("multistep([0.29])", 100)) == 29


def test_multistep_is_the_step_counts_of_its_times():
    f = factors("multistep([steps(2), 0.5, epochs(1)], 0.5)", 10)
    assert f.tolist() == [1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 0.125]


# Combinations


def test_then_starts_anew():
    f = factors("warmup(steps(4)).then(step(every=0.5), after=steps(10))", 30)
    np.testing.assert_array_equal(f[:10], factors("warmup(steps(4))", 10))
    np.testing.assert_array_equal(f[10:], factors("step(every=0.5)", 20))


def test_then_after_ones_own_duration():
    f = factors("warmup(0.2).then(linear())", 50)
    np.testing.assert_array_equal(f[:10], np.arange(1, 11) / 10)
    np.testing.assert_allclose(f[10:], 1 - np.arange(40) / 40)


def test_then_is_no_product():
    """In torch, SequentialLR's second scheduler is changed by the first's (pytorch#196243)."""
    f = factors("(constant * 0.1).then(exponential(0.5, steps(1)), after=steps(3))", 6)
    np.testing.assert_allclose(f, [0.1, 0.1, 0.1, 1, 0.5, 0.25])


def test_product():
    """In torch, ChainedScheduler of warm restarts is another curve (pytorch#129565)."""
    f = factors("warmup(steps(5)) * cosine_restarts(steps(10), 1)", 40)
    np.testing.assert_array_equal(
        f, factors("warmup(steps(5))", 40) * factors("cosine_restarts(steps(10), 1)", 40)
    )
    assert f[10] == f[20] == 1


def test_a_number_scales():
    np.testing.assert_array_equal(factors(0.5 * cosine(), 9), 0.5 * factors(cosine(), 9))
    assert 0.5 * cosine() == cosine() * 0.5 == np.float64(0.5) * cosine()
    assert 2 * cosine() == cosine() * 2.0
    with pytest.raises(ValueError, match="factor: -1; accepted: numbers from 0"):
        cosine() * -1
    with pytest.raises(TypeError):
        cosine() * "a"


def test_momentum_of_a_sequence_is_the_optimizers_own_where_nobody_moves_it():
    chosen = get("constant.then(cyclic(momentum=(0.8, 0.9)), after=steps(5))")
    momenta = chosen.momenta(np.arange(20), 20)
    assert np.isnan(momenta[:5]).all()
    assert momenta[5] == 0.9
    assert chosen.highest_momentum == 0.9
    assert get("warmup() * step()").momenta(np.arange(3), 3) is None
    assert get("warmup() * step()").highest_momentum is None


def test_only_one_may_move_the_momentum():
    with pytest.raises(ValueError, match="both move the momentum"):
        get("cyclic(momentum=(0.8, 0.9)) * one_cycle(momentum=(0.8, 0.9))")


def test_your_own_function():
    def halved(step, total):
        return np.where(step < total / 2, 1.0, 0.5)

    chosen = get(halved)
    assert factors(chosen, 4).tolist() == [1, 1, 0.5, 0.5]
    assert factors(warmup(steps(2)) * chosen, 4).tolist() == [0.5, 1, 0.5, 0.5]
    assert repr(chosen) == "Function(halved)"
    assert pickle.loads(pickle.dumps(get(np.ones_like))) == get(np.ones_like)


# Reduce on plateau


def test_plateau_is_a_function_of_the_history():
    """Resumed with its history, however far: the same rates as uninterrupted."""
    losses = [5, 4, 4, 4, 3, 3, 3, 3, 3, 3]
    chosen = get("reduce_on_plateau(factor=0.5, patience=1)")
    whole = chosen(np.arange(33), 33, 3, schedule.Feedback(validation_loss=losses))[::3]
    assert whole.tolist() == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125]
    for cut in range(10):
        feedback = schedule.Feedback(validation_loss=losses[:cut])
        for epoch in range(cut, 11):
            assert chosen(np.array([3 * epoch + 2]), 33, 3, feedback) == whole[epoch]
            feedback.note({"validation_loss": losses[min(epoch, 9)]})


def test_plateaus_do_not_share_what_they_remember():
    feedback = schedule.Feedback(loss=[1.0] * 6)
    one = get("reduce_on_plateau(patience=1)")(np.array([6]), 9, 1, feedback)
    other = get("reduce_on_plateau(patience=4)")(np.array([6]), 9, 1, feedback)
    np.testing.assert_allclose([one[0], other[0]], [0.01, 0.1])


def test_plateau_after_something_else_counts_its_own_epochs():
    chosen = get("warmup(epochs(2)).then(reduce_on_plateau(patience=1))")
    feedback = schedule.Feedback(loss=[1.0] * 5)
    f = chosen(np.arange(12), 12, 2, feedback)
    # Epochs 2 to 4 are its own: the first is the best so far, the next two are not better.
    np.testing.assert_allclose(f[4:], [1, 1, 1, 1, 1, 1, 0.1, 0.1])


def test_plateau_looks_at_the_validation_loss_where_there_is_one():
    chosen = get("reduce_on_plateau(patience=0)")
    both = schedule.Feedback(loss=[3.0, 2.0, 1.0], validation_loss=[1.0, 1.0, 1.0])
    assert chosen(np.array([3]), 4, 1, both) < 1
    assert chosen(np.array([3]), 4, 1, schedule.Feedback(loss=[3.0, 2.0, 1.0])) == 1
    with pytest.raises(ValueError, match="needs accuracy; measured: loss"):
        get("reduce_on_plateau(monitor='accuracy')")(
            np.array([1]), 4, 1, schedule.Feedback(loss=[3.0])
        )


def test_plateau_reduces_below_torchs_eps():
    """torch leaves out reductions by less than 1e-8 and its rate hangs there."""
    feedback = schedule.Feedback(loss=[1.0] * 13)
    f = get("reduce_on_plateau(patience=0)")(np.arange(14), 14, 1, feedback)
    np.testing.assert_allclose(f[-1], 1e-12)


def test_plateau_of_a_negative_loss():
    """Better by a share of it is less; for torch, best * (1 - threshold) is more when negative."""
    feedback = schedule.Feedback(loss=[-1.0, -0.95, -0.92, -0.91])
    f = get("reduce_on_plateau(patience=0, threshold=0.1)")(np.arange(5), 5, 1, feedback)
    np.testing.assert_allclose(f, [1, 1, 0.1, 0.01, 0.001])


# Wrong input


@pytest.mark.parametrize("warmup", [-0.1, 1.0, float("nan")])
def test_wrong_warmup(warmup):
    with pytest.raises(ValueError, match=f"warmup: {warmup}; accepted: a fraction from 0"):
        cosine(warmup)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cosin", "unknown 'cosin'; did you mean 'cosine'? Accepted: constant, cosine, "),
        ("cosine(warm=0.1)", "cosine: unknown argument 'warm'; did you mean 'warmup'?"),
        ("cosine(0.1, 0, 1.0, 5)", "cosine: takes other arguments; accepted: warmup, end, dur"),
        ("step(every=10)", "step: every: 10; accepted: a fraction above 0 to 1 of the training, "
                           "such as 0.1, or epochs(10) or steps(10)"),
        ("step(every=1)", r"or epochs(1) or steps(1)"),
        ("step(every=0.0)", "every: 0.0; accepted: a fraction above 0"),
        ("step(every=steps(0))", "every: steps(0); accepted: a fraction above 0"),
        ("step(every=steps(2.5))", "steps: 2.5; accepted: whole numbers from 0"),
        ("step(every=epochs(-1))", "epochs: -1; accepted: numbers from 0"),
        ("step(every='10')", "every: '10'; accepted: a fraction"),
        ("step(factor='a')", "factor: 'a'; accepted: numbers from 0"),
        ("multistep(7)", "at: 7; accepted"),
        ("exponential(0)", "factor: 0; accepted: numbers above 0"),
        ("polynomial(0)", "power: 0; accepted: numbers above 0"),
        ("cosine_restarts(growth=0.5)", "growth: 0.5; accepted: numbers from 1"),
        ("one_cycle(momentum=0.9)", "momentum: 0.9; accepted: a pair (low, high)"),
        ("one_cycle(momentum=(0.9, 0.8))", "momentum: [0.9, 0.8]; accepted: a pair"),
        ("one_cycle(shape='cos')", "shape: 'cos'; accepted: cosine, linear"),
        ("cyclic(mode='square')", "mode: 'square'; accepted: triangular, triangular2, exp_range"),
        ("warmup_stable_decay(shape=1)", "shape: 1; accepted: linear, cosine, sqrt"),
        ("reduce_on_plateau(factor=1.0)", "factor: 1.0; accepted: numbers from 0 to below 1"),
        ("reduce_on_plateau(patience=-1)", "patience: -1; accepted: whole numbers of epochs"),
        ("reduce_on_plateau(minimum=2)", "minimum: 2; accepted: numbers from 0 to 1"),
        ("reduce_on_plateau(monitor='loss_')", "monitor: 'loss_'; accepted: validation_loss, "),
        ("step().then(cosine())", "after: needed, since step() has no duration of its own"),
        ("step().then(cosine(), 5)", "after: 5; accepted: a fraction"),
        ("step().then(3, 0.5)", "then: takes other arguments; accepted: following, after"),
        ("cosine(", "'cosine(' is not understood; accepted: a name, or its arguments too"),
        ("", "'' is not understood"),
        ("0.1", "'0.1' is not understood"),
        ("cosine() + step()", "is not understood"),
        ("cosine() * 'a'", "is not understood"),
        ("cosine(**{'warmup': 0.1})", "unknown argument '**'"),
        ("__import__('os').system('true')", "not understood"),
        ("cosine(warmup=open('/etc/passwd'))", "unknown 'open'"),
        ("cosine(warmup=().__class__)", "is not understood"),
        ("(" * 600, "is not understood"),
        ("-" * 999 + "1", "is not understood"),
        ("cosine(" + "0" * 2000 + ")", "is not understood"),
        ("é", "unknown 'é'"),
    ],
)  # fmt: skip
def test_wrong_text(text, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the message is looked at below
        get(text)
    assert message in str(error.value)


def test_text_forgives():
    assert get(" Cosine( 0.1 ) ") == cosine(0.1)
    assert get("warmup-stable-decay") == get("warmup_stable_decay")
    assert get("step(every=1/3)") == get("step")
    assert get("constant()") == constant
    assert get("cosine", warmup=0.1) == cosine(0.1)
    with pytest.raises(ValueError, match="cosine: unknown argument 'warm'"):
        get("cosine", warm=0.1)


def test_wrong_kinds():
    for wrong in (3, None, [cosine()]):
        with pytest.raises(
            TypeError, match=r"schedule: .*; accepted: a schedule, its text such as"
        ):
            get(wrong)
    with pytest.raises(TypeError, match="arguments: end; accepted: with the name"):
        get(cosine(), end=0.1)
    with pytest.raises(TypeError, match="then: 3; accepted: a schedule"):
        cosine().then(3, 0.5)


def test_wrong_questions():
    with pytest.raises(ValueError, match=r"steps_per_epoch: needed for epochs\(2\)"):
        warmup(epochs(2))(np.arange(5), 5)
    with pytest.raises(ValueError, match="steps_per_epoch: needed for reduce_on_plateau"):
        get("reduce_on_plateau")(np.arange(5), 5)
    with pytest.raises(ValueError, match="steps_per_epoch: 0; accepted: a whole number from 1"):
        cosine()(np.arange(5), 5, 0)
    with pytest.raises(ValueError, match=r"steps: .*; accepted: an array"):
        cosine()(np.array([-1]), 5)
    with pytest.raises(ValueError, match="steps: 3; accepted: an array"):
        cosine()(3, 5)
    with pytest.raises(ValueError, match="total: 0; accepted: a whole number from 1"):
        cosine()(np.arange(0), 0)
