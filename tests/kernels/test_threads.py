"""Barriers: nobody goes on before all have come, and nobody waits for one who will not come."""

import threading
import time
from itertools import pairwise

import numba
import numpy as np
import pytest

from minitrain.kernels import minibatch
from minitrain.kernels.threads import (
    ABORTED,
    COUNTER,
    EVEN,
    ODD,
    TAKEN,
    WEIGHTS,
    abort,
    add_atomic,
    give_back,
    give_way,
    load_atomic,
    meet,
    pause,
    places,
    share,
    take,
)


@numba.njit(nogil=True)
def use_atomics(shared):
    before = add_atomic(shared, 3, 5)
    pause()
    give_way()
    return before, load_atomic(shared, 3)


@numba.njit(nogil=True)
def meet_once(shared, threads):
    return meet(shared, threads)


@numba.njit(nogil=True)
def rounds(shared, seen, thread, threads, n):
    """Write the round's number, meet, look for what the others wrote, meet; how often it lacked."""
    lacking = 0
    for i in range(n):
        seen[thread, 0] = i
        if not meet(shared, threads):
            return -1
        for other in range(threads):
            lacking += seen[other, 0] != i
        if not meet(shared, threads):
            return -1
    return lacking


@numba.njit(nogil=True)
def count_up(shared, seen):
    for i in range(seen.size):
        seen[i] = add_atomic(shared, 3, 1)


def in_threads(n, task):
    """task(thread) on n threads; their results in order."""
    results = [None] * n

    def work(i):
        results[i] = task(i)

    crew = [threading.Thread(target=work, args=(i,)) for i in range(n)]
    for one in crew:
        one.start()
    for one in crew:
        one.join(60)
        assert not one.is_alive()
    return results


def test_atomics():
    shared = np.arange(places(1))
    assert use_atomics(shared) == (3, 8)
    assert shared[3] == 8


@pytest.mark.compiled
def test_adding_is_atomic():
    """No number is drawn twice."""
    shared, seen = np.zeros(places(1), np.int64), np.empty((4, 500_000), np.int64)
    count_up(shared, seen[0, :0])  # compile
    gate = threading.Barrier(4)

    def task(i):
        gate.wait()
        count_up(shared, seen[i])

    in_threads(4, task)
    assert shared[3] == seen.size
    assert (np.sort(seen, axis=None) == np.arange(seen.size)).all()


def test_one_thread_meets_itself():
    shared = np.zeros(places(1), np.int64)
    assert meet_once(shared, 1)
    assert not shared.any()


def test_the_last_of_several_goes_on():
    """Without waiting, seen from the last one's side: the others have counted themselves."""
    shared = np.zeros(places(1), np.int64)
    shared[COUNTER] = 8  # two barriers of three, and two threads at the third
    assert meet_once(shared, 3)
    assert shared[COUNTER] == 9


@pytest.mark.compiled
@pytest.mark.parametrize("n", [2, 3, 4])
def test_nobody_goes_on_before_all_have_come(n):
    shared, seen = np.zeros(places(1), np.int64), np.zeros((n, 16), np.int64)
    count = 2000
    rounds(shared, seen, 0, 1, 1)  # compile
    seen[:] = -1
    assert in_threads(n, lambda i: rounds(shared, seen, i, n, count)) == [0] * n
    assert shared[COUNTER] == 2 * count * n


@pytest.mark.compiled
def test_a_thread_waits_for_one_that_is_late():
    shared = np.zeros(places(1), np.int64)
    meet_once(shared, 1)
    came = []

    def task(i):
        if i:
            time.sleep(0.1)  # 5000 times longer than waiting threads spin
            came.append(1)
        return meet_once(shared, 2), len(came)

    assert in_threads(2, task) == [(True, 1), (True, 1)]


def test_who_has_given_up_is_not_waited_for():
    """Here nobody else ever comes, with the JIT or without."""
    crew = minibatch.team(3)
    minibatch.give_up(crew[1])
    shared = crew[0].shared
    assert shared[ABORTED] == 1
    assert not meet_once(shared, 3)
    assert shared[COUNTER] == 1


@pytest.mark.compiled
def test_waiting_threads_are_released():
    shared = np.zeros(places(1), np.int64)
    meet_once(shared, 1)

    def task(i):
        if i < 2:
            return meet_once(shared, 3)
        time.sleep(0.05)
        return abort(shared)

    assert in_threads(3, task) == [False, False, None]


def test_the_places_are_on_cache_lines_of_their_own():
    assert places(1) == places(2) < places(3)
    assert abs(ABORTED - COUNTER) * 8 >= 64
    assert max(ABORTED, COUNTER) < TAKEN


@pytest.mark.parametrize("unit", [1, 8, 16])
def test_shares_cover_everything_once(unit):
    for n in [*range(70), 1000]:
        for count in range(1, 6):
            parts = [share(n, unit, thread, count) for thread in range(count)]
            assert parts[0][0] == 0
            assert parts[-1][1] == n
            for (_, last), (first, _) in pairwise(parts):
                assert last == first
            for first, last in parts:
                assert first <= last
                assert first % unit == 0 or first == n
            units = [-(-(last - first) // unit) for first, last in parts]
            assert max(units) - min(units) <= 1  # fair


@numba.njit
def take_one(team, what, parts, had):
    return take(team, what, parts, had)


@numba.njit
def take_back(team, what):
    give_back(team, what)


@pytest.mark.parametrize("threads", range(1, 8))
def test_each_part_is_taken_once_whoever_is_faster(threads):
    random = np.random.RandomState(threads)
    crew = minibatch.team(threads)
    for parts in (0, 1, 2, 3, 7, 50):
        for what in (WEIGHTS, EVEN, ODD):
            had, taken, working = [0] * threads, [], list(range(threads))
            weights = random.random_sample(threads) ** 4  # some threads are much slower
            while working:
                p = weights[working] / weights[working].sum()
                thread = int(random.choice(working, p=p))
                part = take_one(crew[thread], what, parts, had[thread])
                if part < 0:
                    working.remove(thread)
                else:
                    had[thread] += 1
                    taken.append(part)
            assert sorted(taken) == list(range(parts))
        for what in (WEIGHTS, EVEN, ODD):
            take_back(crew[0], what)
    assert threads == 1 or not crew[0].shared[TAKEN:].any()


def test_a_pair_begins_at_both_ends_of_its_range():
    crew = minibatch.team(3)
    assert [take_one(member, EVEN, 9, 0) for member in crew] == [0, 5, 6]
    assert [take_one(member, EVEN, 9, 1) for member in crew] == [1, 4, 7]
    assert take_one(crew[0], ODD, 9, 0) == 0  # another counter


def test_a_team_shares_one_place():
    crew = minibatch.team(3)
    assert [member.thread for member in crew] == [0, 1, 2]
    assert all(member.threads == 3 and member.shared is crew[0].shared for member in crew)
    assert minibatch.team()[0].shared is not crew[0].shared
