"""Parts of a job: each is taken once, and nobody who comes late gets one."""

import numpy as np
import pytest

from minitrain.kernels import sharing
from minitrain.kernels._jit import COMPILED, jit

pytestmark = pytest.mark.compiled
JOB = 6

if COMPILED:

    @jit
    def take(mailbox, owner, job, count):
        return sharing.next_part(mailbox, owner, job, count)


def mailbox(threads=2):
    return np.zeros(sharing.places(threads), np.int64)


def test_each_part_is_taken_once():
    box = mailbox()
    assert [take(box, 1, JOB, 3) for _ in range(5)] == [0, 1, 2, -1, -1]
    assert [take(box, 0, JOB, 1) for _ in range(2)] == [0, -1]


def test_what_an_older_job_has_left_counts_as_nothing():
    box = mailbox()
    assert [take(box, 1, JOB, 2) for _ in range(3)] == [0, 1, -1]
    assert [take(box, 1, JOB + 2, 2) for _ in range(3)] == [0, 1, -1]


def test_who_is_late_gets_nothing():
    """Even if the newer job has parts left: they are not of the job that was read."""
    box = mailbox()
    assert take(box, 1, JOB + 2, 4) == 0
    assert take(box, 1, JOB, 4) == -1
    assert take(box, 1, JOB + 2, 4) == 1


def test_a_helper_goes_to_sleep_and_says_so():
    box = mailbox()
    place = sharing.line_of(1) + sharing.AWAKE
    box[place] = 1
    sharing.serve(box, 1, 10)
    assert box[place] == 0


def test_one_of_those_who_want_leads():
    if not COMPILED:
        pytest.skip("threads that are compiled")

    @jit(key="leads")
    def leads(box):
        return sharing.may_lead(box)

    box = mailbox()
    assert [leads(box), leads(box)] == [True, False]
    assert box[sharing.LEADING] == 1


@pytest.mark.parametrize("size", [0, 1, 10**4, 10**6, 10**8])
@pytest.mark.parametrize("threads", [1, 2, 7])
def test_every_thread_has_parts(size, threads):
    parts = sharing.parts_for(size, threads)
    assert parts >= threads
    assert parts % threads == 0
    assert parts == threads or size / parts >= sharing._LEAST / 2
    assert size / parts <= 2 * sharing._MOST
