"""The only place with Numba options, and the disk cache of the compiled kernels.

Every kernel is compiled with ``nogil`` (trainings scale over Python threads) and NumPy's error
model (0/0 is nan, as in the reference).  Never with ``fastmath``: it deletes NaN checks and lets
the compiler reorder sums, and with it goes the promise of the same bits on every machine.  Never
with ``parallel=True``: its thread pools abort on concurrent entry (numba#8563) or after fork.

Numba's own cache is replaced because its key leaves out what a kernel calls in other files, and
because two processes that save at once may swap each other's files (numba#10128); a damaged file
raises in the user's call (numba#10434) and a read-only install raises at import (numba#4032).
Here a cache file is named by everything it depends on and carries its own checksum; what cannot
be read is compiled again, what cannot be written is left out, and nobody gets an exception.
"""

import gc
import hashlib
import os
import pickle
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core.caching import NullCache, _Cache
from numba.core.compiler import CompilerBase, CompileResult, DefaultPassBuilder
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.core.serialize import dumps
from numba.core.typed_passes import NopythonRewrites
from numba.extending import register_jitable
from numba.misc.appdirs import AppDirs

COMPILED = not numba.config.DISABLE_JIT

# Called with a kernel's name whenever it is about to be compiled (a cache miss); a front end that
# wants to say "compiling, first run only" sets it.
on_compile: Callable[[str], None] | None = None

_KERNELS = Path(__file__).parent

# The same for all functions, and none gets an entry by these: Numba compiles what a function calls
# once for each set of options, and would do so three times.  Kernels get theirs late, below.
_OPTIONS: dict[str, Any] = {
    "nogil": True, "error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True,
}  # fmt: skip


@register_pass(mutates_CFG=False, analysis_only=True)
class _EntryForPython(FunctionPass):
    _name, _option = "minitrain_entry_for_python", "no_cpython_wrapper"

    def __init__(self) -> None:
        super().__init__()

    def run_pass(self, state: Any) -> bool:
        setattr(state.flags, self._option, False)
        return False


@register_pass(mutates_CFG=False, analysis_only=True)
class _EntryForKernels(_EntryForPython):
    _name, _option = "minitrain_entry_for_kernels", "no_cfunc_wrapper"


class _ForPython(CompilerBase):
    """Numba's compiler, which makes the entry when all that a kernel calls has been compiled."""

    entry: type[FunctionPass] = _EntryForPython

    def define_pipelines(self) -> list:
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.add_pass_after(self.entry, NopythonRewrites)
        passes.finalize()
        return [passes]


class _ForKernels(_ForPython):
    entry = _EntryForKernels


_STALE_SECONDS = 24 * 3600.0


def jit(function: Callable | None = None, *, key: str = "", by_address: bool = False) -> Any:
    """Compile a kernel (on its first call), cached on disk.

    ``key`` stands for whatever a closure captures, e.g. the fingerprint of an update rule.  A
    kernel ``by_address`` is one that only other kernels call, where :func:`address_of` says; from
    Python it must not be called.  Neither kind gets the other's entry, which takes as long to
    compile as a small kernel.
    """
    if function is None:
        return lambda f: jit(f, key=key, by_address=by_address)
    compiler = _ForKernels if by_address else _ForPython
    compiled = numba.njit(**_OPTIONS, pipeline_class=compiler)(function)
    if COMPILED:
        compiled._cache = KernelCache(function, key) if cache_folder() else NullCache()
        compiled.compile = _uncollected(compiled.compile)
    return compiled


_compiling = 0  # calls of compile, in all threads
_collects = True  # whether it did before the first of them
_counting = Lock()


def _uncollected(compile: Callable) -> Callable:
    """``compile`` without the garbage collector, which would search its many objects over and over
    and find nothing: 8 % of the time of a first start."""

    def compile_uncollected(signature: Any) -> Any:
        global _compiling, _collects
        with _counting:
            if not _compiling:
                _collects = gc.isenabled()
                gc.disable()
            _compiling += 1
        try:
            return compile(signature)
        finally:
            with _counting:
                _compiling -= 1
                if not _compiling and _collects:
                    gc.enable()

    return compile_uncollected


def inline(function: Callable) -> Any:
    """A function that kernels call: plain Python outside, compiled into its caller inside."""
    return register_jitable(**_OPTIONS)(function)


def address_of(kernel: Any, signature: Any) -> Any:
    """Compile a kernel for ``signature`` and say where its code is; the kernel itself when the
    JIT is off.  ``call`` in fuse.py calls it."""
    if not COMPILED:
        return kernel
    kernel.compile(signature)
    compiled = kernel.overloads[signature.args]
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_cfunc_wrapper_name)


@cache
def fingerprint() -> str:
    """Hash of all kernel sources and of the compiler's versions."""
    digest = hashlib.sha256(
        f"{sys.version} {numba.__version__} {llvmlite.__version__} {np.__version__}".encode()
    )
    for path in sorted(_KERNELS.rglob("*.py")):
        digest.update(path.relative_to(_KERNELS).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


@cache
def cache_folder() -> Path | None:
    """First writable folder of: NUMBA_CACHE_DIR, beside the sources, the user's cache folder."""
    user = AppDirs(appname="minitrain", appauthor=False).user_cache_dir
    given = numba.config.CACHE_DIR
    for folder in [Path(given) / "minitrain"] if given else [_KERNELS / "__pycache__", Path(user)]:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError:
            continue
        return folder
    warnings.warn(
        "minitrain: no writable cache folder, so kernels are compiled again in every process; "
        "set NUMBA_CACHE_DIR to a folder that can be written",
        RuntimeWarning,
        stacklevel=2,
    )
    return None


class KernelCache(_Cache):
    """One file per compiled signature, written atomically, verified when read."""

    def __init__(self, function: Callable, key: str) -> None:
        self._name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        self._key = f"{function.__qualname__}:{function.__code__.co_firstlineno}:{key}"
        self._enabled = True

    @property
    def cache_path(self) -> str:
        return str(cache_folder())

    def enable(self) -> None:
        self._enabled = True

    def disable(self) -> None:
        self._enabled = False

    def flush(self) -> None:
        for path in self._siblings():
            path.unlink(missing_ok=True)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled code for ``sig``, or None: then Numba compiles it."""
        target_context.refresh()
        if self._enabled:
            path = self._path(sig, target_context.codegen())
            try:
                content = path.read_bytes()
                checksum, payload = content[:32], content[32:]
                if hashlib.sha256(payload).digest() == checksum:
                    return CompileResult._rebuild(target_context, *pickle.loads(payload))
                path.unlink()
            except (OSError, ImportError):
                pass  # not there, not readable, or of a module that is not there: the same to us
        if on_compile is not None:
            on_compile(self._name)
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        if not self._enabled or data.library.has_dynamic_globals:
            return
        payload = dumps(data._reduce())
        path = self._path(sig, data.codegen)
        try:
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(payload).digest() + payload)
            os.replace(temporary, path)
        except OSError:
            return  # a full or vanished disk costs the next process a compilation, nothing else
        self._remove_stale()

    def _path(self, sig: Any, codegen: Any) -> Path:
        what = f"{self._key}|{sig}|{codegen.magic_tuple()}"
        digest = hashlib.sha256(what.encode()).hexdigest()[:24]
        folder = cache_folder()
        assert folder is not None
        return folder / f"{self._name}-{fingerprint()[:12]}-{digest}.nbc"

    def _siblings(self) -> list[Path]:
        folder = cache_folder()
        return list(folder.glob(f"{self._name}-*.nbc")) if folder else []

    def _remove_stale(self) -> None:
        """Delete what older sources left, once it is a day old: another tree may still use it."""
        for path in self._siblings():
            try:
                old = time.time() - path.stat().st_mtime > _STALE_SECONDS
                if old and fingerprint()[:12] not in path.name:
                    path.unlink()
            except OSError:
                continue  # another process was faster
