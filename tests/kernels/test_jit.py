"""How kernels are compiled: what they share once, and without the garbage collector."""

import gc

import numba
import numpy as np
import pytest
from numba.core import event

from minitrain.kernels._jit import address_of, inline, jit

pytestmark = pytest.mark.compiled


class Compilations(event.Listener):
    """(name, whether the collector was on) of all that is compiled meanwhile."""

    def __init__(self):
        self.seen = []

    def on_start(self, event):
        self.seen.append((event.data["dispatcher"].py_func.__name__, gc.isenabled()))

    def on_end(self, event):
        pass


@pytest.fixture
def compilations(monkeypatch, tmp_path):
    monkeypatch.setattr("minitrain.kernels._jit.cache_folder", lambda: None)
    listener = Compilations()
    with event.install_listener("numba:compile", listener):
        yield listener.seen


def test_what_several_kernels_call_is_compiled_once(compilations):
    @inline
    def shared(x):
        return x + 1.0

    @inline
    def between(x):
        return shared(x) * 2.0

    @jit
    def from_python(a):
        a[0] = shared(a[0]) + between(a[0])

    @jit(by_address=True)
    def from_kernels(a):
        a[0] = shared(a[0]) - between(a[0])

    a = np.zeros(1)
    from_python(a)
    assert a[0] == 3.0
    address = address_of(from_kernels, numba.types.void(numba.float64[::1]))
    assert address
    names = [name for name, _ in compilations]
    assert names.count("shared") == names.count("between") == 1


@pytest.mark.parametrize("collects", [True, False])
def test_the_collector_rests_and_is_then_as_it_was(compilations, collects):
    @jit
    def fine(x):
        return x + 1.0

    @jit
    def wrong(x):
        return x.no_such_thing

    before = gc.isenabled()
    try:
        (gc.enable if collects else gc.disable)()
        assert fine(1.0) == 2.0
        assert gc.isenabled() == collects
        with pytest.raises(numba.TypingError):
            wrong(1.0)
        assert gc.isenabled() == collects
    finally:
        (gc.enable if before else gc.disable)()
    assert {name for name, _ in compilations} >= {"fine", "wrong"}
    assert not any(on for _, on in compilations)


def test_each_kind_of_kernel_has_its_entry_alone(compilations):
    @jit
    def from_python(a):
        a[0] = 1.0

    @jit(by_address=True)
    def from_kernels(a):
        a[0] = 2.0

    signature = numba.types.void(numba.float64[::1])
    from_python.compile(signature)
    address_of(from_kernels, signature)
    for kernel, prefix in ((from_python, "cpython"), (from_kernels, "cfunc")):
        (compiled,) = kernel.overloads.values()
        names = [f.name for f in compiled.library._final_module.functions if not f.is_declaration]
        entries = {n.partition(".")[0] if "." in n else n[:10] for n in names}
        assert any(prefix in name for name in names), entries
        other = "cfunc" if prefix == "cpython" else "cpython"
        assert not any(other in name for name in names), entries
