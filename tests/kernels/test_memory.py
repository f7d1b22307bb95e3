import numpy as np
import pytest

from minitrain.kernels.memory import HUGE, LINE, aligned_zeros


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8"])
@pytest.mark.parametrize("shape", [0, 1, 17, (3, 5), (2, 0), (), (2, 3, 4)])
def test_zeros_that_start_at_a_cache_line(shape, dtype):
    kept = []  # so that NumPy cannot hand out the same memory every time
    for _ in range(10):
        array = aligned_zeros(shape, dtype)
        kept.append(array)
        assert array.size == 0 or array.ctypes.data % LINE == 0
        assert array.shape == np.zeros(shape).shape
        assert array.dtype == dtype
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert array.flags.aligned
        assert not array.any()


def test_arrays_do_not_overlap():
    first, second = aligned_zeros(100, "float32"), aligned_zeros(100, "float32")
    first[:] = 1.0
    assert not second.any()
    assert not np.shares_memory(first, second)


def test_large_arrays():
    """Of huge pages where the system has them: all the same to who uses them."""
    arrays = [aligned_zeros(shape, "float32") for shape in (HUGE // 4, (3, 999_983), HUGE // 4 - 1)]
    for array in arrays:
        assert array.ctypes.data % LINE == 0
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert not array.any()
        array[:] = 1
        array.flat[-1] = 2
    assert all(array.sum() == array.size + 1 for array in arrays)
