"""A step on several cores has the bits of one core, whoever helps with it."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import minitrain as mt
from minitrain import optimizers, sharing
from minitrain.kernels import rule as rules
from minitrain.kernels import sharing as kernels
from minitrain.kernels.plan import MAILBOX, THREADS, UNSHARED, WAKES
from minitrain.model import Block

pytestmark = pytest.mark.compiled
P = 5003


@pytest.fixture
def shared(monkeypatch):
    """Steps of any size are shared, by three threads."""
    made = sharing.Helpers
    monkeypatch.setattr(sharing, "cores", lambda: 3)
    monkeypatch.setattr(sharing, "WORTH_SHARING", 0)
    monkeypatch.setattr(sharing, "WORTH_WAKING", 0)
    monkeypatch.setattr(sharing, "_PER_THREAD", 1)
    made = made()
    monkeypatch.setattr(sharing, "helpers", lambda: made)
    yield made
    made.send_home()


def follow(optimizer, theta, blocks, steps=5):
    """Steps beside the reference's; both must have the same bits after each."""
    random, expected = np.random.default_rng(0), theta.copy()
    states = optimizer.init(theta, blocks), optimizer.init(theta, blocks)
    for _ in range(steps):
        gradient = random.standard_normal(theta.size).astype(theta.dtype)
        optimizer.step(theta, gradient, states[0])
        optimizer.step_reference(expected, gradient, states[1])
        np.testing.assert_array_equal(theta, expected)
    for one, other in zip(states[0].arrays, states[1].arrays, strict=True):
        if one is not states[0].arrays.c:  # room for coefficients, which the reference leaves empty
            np.testing.assert_array_equal(one, other)
    return states[0]


@pytest.mark.parametrize("name", rules.names())
def test_the_bits_of_one_core(name, shared):
    optimizer = optimizers.get(name, weight_decay=0.1, decay_biases=False)
    W, b = Block("W", 0, 3000, (3000, 1)), Block("b", 3000, 3007, (7,))
    blocks = [W, b, Block("V", 3007, P, (1, P - 3007))]
    theta = np.random.default_rng(1).standard_normal(P).astype(np.float32)
    state = follow(optimizer, theta, blocks)
    assert state._plan[[MAILBOX, THREADS]].tolist() == [shared.address, 3]


@pytest.mark.parametrize("name", ["adam", "lamb"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_many_parts(name, dtype, shared):
    theta = np.random.default_rng(1).standard_normal(500_001).astype(dtype)
    follow(optimizers.get(name), theta, None, steps=3)


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 200])
def test_few_parameters(size, shared):
    follow(optimizers.get("nadam"), np.ones(size), None)


@pytest.mark.parametrize("options", [{"lookahead": 2}, {"ema": 0.9}, {"clip_global_norm": 0.1}])
def test_with_modifiers(options, shared):
    theta = np.random.default_rng(1).standard_normal(P)
    state = follow(optimizers.get("adam", **options), theta, None)
    assert bool(state._plan[MAILBOX]) != ("clip_global_norm" in options)  # it has other phases


def test_helpers_really_help(shared):
    """Each of three threads must have completed parts of one of many steps."""
    adam = optimizers.Adam()
    theta, gradient = np.ones(400_000), np.ones(400_000)
    state, helped = adam.init(theta), set()
    until = time.monotonic() + 20
    while len(helped) < 3 and time.monotonic() < until:
        adam.step(theta, gradient, state)
        job = shared.mailbox[kernels.JOB]
        for k in range(3):
            word = int(shared.mailbox[kernels.line_of(k) + kernels._COMPLETED])
            if word >> kernels.COUNT == job:
                helped.add(k)
    assert helped == {0, 1, 2}


def test_helpers_stay_awake_while_one_leads(shared):
    """Between the phases of a large step the leader works alone, for longer than they stand by."""
    assert shared.wake()
    shared.mailbox[kernels.LEADING] = 1
    time.sleep(0.05)
    awake = [int(shared.mailbox[kernels.line_of(k) + kernels.AWAKE]) for k in (1, 2)]
    shared.mailbox[kernels.LEADING] = 0
    assert awake == [1, 1]
    until = time.monotonic() + 20
    while any(shared.mailbox[kernels.line_of(k) + kernels.AWAKE] for k in (1, 2)):
        assert time.monotonic() < until, "then they sleep"
        time.sleep(1e-3)


def test_helpers_that_never_come(shared):
    """A core that is busy elsewhere delays nothing: here they are awake, but nobody is there."""
    for k in (1, 2):
        shared.mailbox[kernels.line_of(k) + kernels.AWAKE] = 1
    follow(optimizers.Adam(), np.ones(P), None)
    assert not shared._threads


def test_no_threads_to_be_had(shared, monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    state = follow(optimizers.Adam(), np.ones(P), None)
    assert state._plan[MAILBOX] == 0


def test_several_threads_step_at_once(shared):
    """One of them leads; the others make their steps alone, or lead in turn."""
    failures = []

    def run(seed):
        try:
            theta = np.random.default_rng(seed).standard_normal(40_000)
            follow(optimizers.get("adam" if seed % 2 else "dog"), theta, None, steps=20)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert shared.mailbox[kernels.LEADING] == 0


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="cores cannot be chosen here")
def test_the_callers_thread_may_run_where_it_could(shared):
    before = os.sched_getaffinity(0)
    follow(optimizers.Adam(), np.ones(P), None)
    assert os.sched_getaffinity(0) == before
    homes = [os.sched_getaffinity(thread.native_id) for thread in shared._threads]
    assert all(home <= before for home in homes)
    if len(before) > 1:
        assert all(len(home) == 1 for home in homes)


FORK = """
import os, numpy as np
import minitrain as mt
from minitrain import sharing
sharing.cores = lambda: 2
sharing.WORTH_SHARING = sharing.WORTH_WAKING = 0
sharing._PER_THREAD = 1
adam, theta = mt.optimizers.Adam(), np.ones(100_000)
state = adam.init(theta)
def steps():
    for _ in range(5):
        adam.step(theta, np.ones(100_000), state)
    return len(sharing.helpers()._threads)
assert steps() == 1
child = os.fork()
assert sharing.helpers()._threads == [] or child
assert steps() == 1
np.testing.assert_allclose(theta, 0.99)
if child:
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
else:
    os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_has_helpers_of_its_own():
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_they_go_home(shared):
    follow(optimizers.Adam(), np.ones(P), None)
    threads = list(shared._threads)
    assert [thread.is_alive() for thread in threads] == [True, True]
    shared.send_home()
    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.parametrize("between, woken", [(1e-6, True), (1.0, False)])
def test_they_are_woken_for_steps_in_quick_succession(between, woken, shared, monkeypatch):
    now = iter(np.arange(1, 100) * between)
    monkeypatch.setattr(sharing, "perf_counter", lambda: next(now))
    for _ in range(sharing._SUCCESSION):
        assert not shared._threads
        shared.missed(1e3)
    assert bool(shared._threads) == woken


def test_small_steps_are_not_shared():
    adam = mt.optimizers.Adam()
    theta = np.ones(1000, np.float32)
    state = adam.init(theta)
    adam.step(theta, theta.copy(), state)
    assert state._plan[MAILBOX] == 0
    assert not sharing.worth_sharing(sharing.WORTH_SHARING)
    assert sharing.worth_sharing(1e9) == (sharing.cores() > 1)


def test_what_a_plan_says_of_sharing(monkeypatch):
    monkeypatch.setattr(sharing, "cores", lambda: 8)
    said = sharing.shared(sharing._PER_THREAD * 3.5, lambda: 7)
    assert (said.threads, said.taker, said.wakes) == (3, 7, 0)
    large = sharing.shared(sharing.WORTH_WAKING + 1, lambda: 7)
    assert (large.threads, large.wakes) == (8, 1)
    monkeypatch.setattr(sharing, "cores", lambda: 1)
    assert sharing.shared(1e12, None) == UNSHARED
    assert WAKES > THREADS > MAILBOX  # they stand in the plan in this order
