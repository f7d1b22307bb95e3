"""Threads of one training: as many as wanted, the same result, and nobody is left waiting."""

import multiprocessing
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest

import minitrain as mt
from minitrain import crew, training
from minitrain.kernels import minibatch
from minitrain.kernels._jit import COMPILED
from minitrain.kernels.threads import meet

needs_threads = pytest.mark.skipif(not COMPILED, reason="without the compiler there is one thread")
SECONDS = 60  # what a test that would hang may take


@pytest.fixture
def any_threads(monkeypatch):
    """As many threads as asked for, on however few cores; and calls of 1, 2, 4, … steps."""
    monkeypatch.setattr(training, "_FIRST_CALL", 0.0)
    monkeypatch.setattr(training, "_paces", {})
    monkeypatch.setattr(training, "choose_threads", lambda threads, flops: threads)


@pytest.fixture(autouse=True)
def nobody_is_left():
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def train(threads, seed=0, epochs=3):
    """Final parameters and history of 90 rows in batches of 70: five and two portions of rows."""
    random = np.random.RandomState(seed)
    X, y = random.standard_normal((90, 20)), random.randint(0, 7, 90)
    model = mt.MLP([20, 50, 33, 7], "tanh", seed=seed)
    fitted = mt.Trainer(model, mt.optimizers.Adam(lr=0.01), 70, seed, threads=threads).fit(
        (X, y), epochs, validation=(X[:40], y[:40])
    )
    measured = [fitted.loss, fitted.accuracy, fitted.gradient_norm, fitted.validation_loss]
    return model.parameters.tobytes() + np.array(measured).tobytes(), fitted


def bits(*arguments, **others):
    return train(*arguments, **others)[0]


# --- how many ---------------------------------------------------------------------------------


def cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@needs_threads
def test_never_more_threads_than_cores(monkeypatch):
    for available in (1, 2, 8):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid, n=available: set(range(n)), False)
        assert crew.choose_threads(3, 0.0) == min(3, available)
        assert crew.choose_threads(None, crew.WORTH_SHARING) == available
        assert crew.choose_threads(None, crew.WORTH_SHARING - 1) == 1


@needs_threads
def test_cores_are_counted_where_there_is_no_affinity(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert crew.choose_threads(None, 1e12) == 5
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert crew.choose_threads(4, 1e12) == 1


def test_without_a_compiler_there_is_one(monkeypatch):
    monkeypatch.setattr(crew, "COMPILED", False)
    assert crew.choose_threads(4, 1e12) == crew.choose_threads(None, 1e12) == 1


@pytest.mark.parametrize("threads", [0, -1, 1.5, "two", True])
def test_what_is_no_number_of_threads(threads):
    with pytest.raises((TypeError, ValueError), match="threads"):
        crew.choose_threads(threads, 1.0)
    with pytest.raises((TypeError, ValueError), match="threads"):
        train(threads)


def paced(seconds, calls=400, fixed=False, steps=40):
    """Threads of each of the calls, where a step on n threads takes ``seconds(n, call)``."""
    pace, chosen = crew.Pace(2, fixed), []
    for call in range(calls):
        threads, made = pace.choose(steps)
        assert 1 <= made <= steps
        chosen.append(threads)
        pace.note(seconds(threads, call))
    return chosen


def test_a_second_thread_that_pays_is_kept():
    chosen = paced(lambda threads, call: 1e-3 / threads)
    assert set(chosen[:6]) == {2}
    assert 1 in chosen
    assert chosen.count(1) < 0.05 * len(chosen)


def test_a_second_thread_that_harms_is_sent_away():
    chosen = paced(lambda threads, call: 1e-3 * threads)
    assert chosen[:8] == [2, 2, 2, 2, 2, 2, 1, 1]
    assert chosen[8:].count(2) < 0.05 * len(chosen)


def test_a_core_that_becomes_free_is_used():
    chosen = paced(lambda threads, call: 1e-3 * (threads if call < 200 else 1 / threads))
    assert chosen[150:200].count(1) > 45
    assert chosen[300:].count(2) > 90


def test_a_trial_is_short_and_only_where_it_says_something():
    pace = crew.Pace(2, fixed=False)
    for _ in range(6):
        assert pace.choose(40) == (2, 40)
        pace.note(1e-3)
    assert pace.choose(40) == (1, 10)
    assert set(paced(lambda threads, call: 1e-3 * threads, fixed=True)) == {2}
    assert set(paced(lambda threads, call: 1e-6 * threads)) == {2}  # 40 µs: starting them counts
    assert {crew.Pace(1, fixed=False).choose(10) for _ in range(50)} == {(1, 10)}


# --- the same result --------------------------------------------------------------------------


@needs_threads
def test_one_to_four_threads(any_threads):
    """Four threads of which one has no rows to work on, on two cores."""
    alone = bits(1)
    for threads in (2, 3, 4):
        assert bits(threads) == alone


def test_every_member_works_and_the_first_ones_value_is_returned():
    seen = []

    def task(member):
        seen.append((member.thread, member.threads))
        return 10 + member.thread

    assert crew.together(task, 4) == 10
    assert sorted(seen) == [(i, 4) for i in range(4)]


@needs_threads
def test_two_trainings_of_two_threads_each_at_once(any_threads):
    alone = [bits(2, seed, 40) for seed in range(2)]
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(bits, 2, seed, 40) for seed in range(2)]
        assert [one.result(SECONDS) for one in both] == alone


@needs_threads
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_training_in_a_forked_child_after_training_in_the_parent(any_threads):
    alone = bits(2)
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe()

    def work():
        there.send(bits(2))

    child = fork.Process(target=work)
    child.start()
    try:
        assert here.poll(SECONDS), "the child hangs"
        assert here.recv() == alone
    finally:
        child.join(SECONDS)
        child.kill()
    assert child.exitcode == 0
    assert bits(2) == alone  # and the parent is as it was


# --- what can go wrong ------------------------------------------------------------------------


def failing_start(monkeypatch, number, error):
    """The thread that is started as the ``number``-th from now on cannot be."""
    start, count = threading.Thread.start, []

    def attempt(self):
        count.append(self)
        if len(count) == number:
            raise error
        start(self)

    monkeypatch.setattr(threading.Thread, "start", attempt)
    return count


@needs_threads
@pytest.mark.parametrize("number", [1, 2])
def test_a_thread_that_cannot_be_started(number, any_threads, monkeypatch):
    """The first call of the training finds it; one thread does that call's work."""
    alone = bits(1)
    tried = failing_start(monkeypatch, number, RuntimeError("can't start new thread"))
    assert bits(3) == alone
    assert len(tried) > number


@needs_threads
@pytest.mark.parametrize("number", range(3, 9))
def test_a_thread_that_cannot_be_started_in_the_middle(number, any_threads, monkeypatch):
    alone = bits(1)
    failing_start(monkeypatch, number, RuntimeError("can't start new thread"))
    assert bits(3) == alone


def test_one_does_all_the_work_only_when_the_others_have_left(monkeypatch):
    """They may still be writing where it will."""
    failing_start(monkeypatch, 2, RuntimeError("can't start new thread"))
    order = []

    def task(member):
        if member.threads > 1:
            time.sleep(0.05)
        order.append(member.threads)

    crew.together(task, 3)
    assert order == [3, 1]


@numba.njit(nogil=True)
def wait_for_all(team):
    return meet(team.shared, team.threads)


@needs_threads
@pytest.mark.parametrize("number", [1, 2, 3])
def test_ctrl_c_while_threads_are_started(number, monkeypatch):
    """Those that wait already are sent home, and it is the caller who hears of it."""
    wait_for_all(minibatch.team()[0])  # compile
    left = []
    failing_start(monkeypatch, number, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        crew.together(lambda member: left.append(wait_for_all(member)), 4)
    assert left == [False] * (number - 1)


@needs_threads
def test_ctrl_c_in_a_fit_keeps_what_was_learned(any_threads, monkeypatch):
    failing_start(monkeypatch, 5, KeyboardInterrupt)
    _, history = train(2, epochs=20_000)
    assert history.stop_reason == "interrupted"
    assert 0 < len(history) < 20_000


@needs_threads
@pytest.mark.parametrize("thread", range(3))
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_exception_in_one_thread_does_not_leave_the_others_waiting(thread, error):
    """Between Python and the kernel, say; without care the others spin for ever."""
    wait_for_all(minibatch.team()[0])
    left = []

    def task(member):
        if member.thread == thread:
            raise error("in one of them")
        left.append(wait_for_all(member))

    with pytest.raises(error, match="in one of them"):
        crew.together(task, 3)
    assert left == [False, False]


def test_a_failing_task_of_a_single_thread():
    def task(member):
        raise RuntimeError("not about threads")

    for threads in (1, 2) if COMPILED else (1,):
        with pytest.raises(RuntimeError, match="not about threads"):
            crew.together(task, threads)
