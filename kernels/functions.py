"""The functions of a rule: what they must take, and what they may hold.

They are plain Python, and become kernels: what would go wrong in one, or be computed otherwise than
in the reference, is refused when the rule is made.
"""

import dis
import hashlib
import inspect
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise, takewhile

# Names by which coefficients get the learning rate: that of the step, and the one before schedules.
RATE, BASE_RATE = "lr", "base_lr"


@dataclass(frozen=True, eq=False)
class Variant:
    """The element functions of a rule for the flags that are switched on."""

    update: Callable
    slots: tuple[str, ...]
    terms: Callable | None = None
    point: Callable | None = None
    more_terms: Callable | None = None  # summed once the factors of the first terms are known


@dataclass(frozen=True, eq=False)
class Sums:
    """What becomes of the sums of ``terms``: over each block, or over all parameters (``whole``).

    ``factors(c, *kept, *sums)`` returns ``(values, new kept)``, or the values alone where nothing
    is ``kept``; these scalars go from step to step, for each block apart unless ``whole``.  After
    the coefficients c holds the kept scalars in ``terms`` and the values in ``update``.
    """

    factors: Callable
    kept: Mapping[str, float | str]
    whole: bool

    def evaluate(self, c: tuple, kept: list, sums: list) -> tuple[tuple, tuple]:
        """Values and kept scalars."""
        result = self.factors(c, *kept, *sums)
        return result if self.kept else (result, ())


def parameters_of(function: Callable) -> list[str]:
    return list(inspect.signature(function).parameters)


def read_variant(
    name: str, update: Callable, terms: Callable | None = None, point: Callable | None = None
) -> Variant:
    parameters = parameters_of(update)
    if parameters[:2] != ["p", "g"] or parameters[-1:] != ["c"]:
        raise ValueError(
            f"{name}: update({', '.join(parameters)}) is not of the form update(p, g, *slots, c)"
        )
    wanted = {"update": parameters, "terms": parameters, "point": ["p", *parameters[2:]]}
    for role, function in (("update", update), ("terms", terms), ("point", point)):
        if function is None:
            continue
        if parameters_of(function) != wanted[role]:
            raise ValueError(
                f"{name}: {role}({', '.join(parameters_of(function))}) must take "
                f"{', '.join(wanted[role])}, as update does"
            )
        for number in _numbers(function):
            raise ValueError(
                f"{name}: {role} holds the number {number!r}, which would make a float32 kernel "
                "compute in float64; return it from coefficients, or write g * g for g**2"
            )
    return Variant(update, tuple(parameters[2:-1]), terms, point)


def read_sums(
    name: str,
    terms: Callable | None,
    factors: Callable | None,
    kept: Mapping[str, float | str] | None,
    over: str,
) -> Sums | None:
    if over not in ("block", "all"):
        raise ValueError(f"{name}: over: {over!r}; accepted: 'block', 'all'")
    if (terms is None) != (factors is None):
        raise ValueError(f"{name}: terms and factors come together: what is summed, and what for")
    if factors is None:
        return None
    expected = ["c", *(kept or ())]
    if parameters_of(factors)[: len(expected)] != expected:
        raise ValueError(
            f"{name}: factors({', '.join(parameters_of(factors))}) must take "
            f"{', '.join(expected)} and then the sums"
        )
    return Sums(factors, dict(kept or {}), over == "all")


def slots_read(function: Callable, count: int) -> int:
    """A bit for each of so many slots that ``function(p, g, *slots, c)`` reads, other than to
    return it as it was; all of them where it does not name them, as a wrapper's."""
    steps = list(dis.get_instructions(function))
    loaded = Counter(name for step in steps for name in _loaded(step))
    returns = sum(s.opname.startswith("RETURN") for s in steps)
    slots, left, bits = parameters_of(function)[2:-1], slots_left(function), 0
    if len(slots) != count:
        return (1 << count) - 1
    for k, slot in enumerate(slots):
        bits |= (loaded[slot] > (returns if left >> k & 1 else 0)) << k
    return bits


def slots_left(update: Callable) -> int:
    """A bit for each slot that ``update`` returns as it was, such as the first weights: it need not
    be written.  Only those are found that nothing is assigned to, and that stand in each return
    with none but others like them behind; that is certain, if not all."""
    steps, slots = list(dis.get_instructions(update)), parameters_of(update)[2:-1]
    changed = {name for step in steps for name in _stored(step)}
    left = set(slots) - changed
    for number, step in enumerate(steps):
        if step.opname.startswith("RETURN"):
            left &= set(_last_returned(steps[:number], slots))
    return sum(1 << k for k, slot in enumerate(slots) if slot in left)


def _last_returned(steps: list[dis.Instruction], slots: list[str]) -> list[str]:
    """Slots that a tuple ends with, each by its name and in its place; ``steps`` end before the
    return."""
    if not steps or steps[-1].opname != "BUILD_TUPLE" or steps[-1].arg != 1 + len(slots):
        return []
    names: list[str] = []
    for step in reversed(steps[:-1]):
        if not step.opname.startswith("LOAD_FAST"):
            break
        names = [*_loaded(step), *names]
    ends = zip(reversed(names), reversed(slots), strict=False)
    return [slot for name, slot in takewhile(lambda pair: pair[0] == pair[1], ends)]


def _loaded(step: dis.Instruction) -> tuple[str, ...]:
    """The variables that an instruction loads; from Python 3.13 on it may have two."""
    if step.opname == "STORE_FAST_LOAD_FAST":
        return step.argval[1:]
    return _names(step) if step.opname.startswith("LOAD_FAST") else ()


def _stored(step: dis.Instruction) -> tuple[str, ...]:
    if step.opname == "STORE_FAST_LOAD_FAST":
        return step.argval[:1]
    return _names(step) if step.opname.startswith("STORE_FAST") else ()


def _names(step: dis.Instruction) -> tuple[str, ...]:
    return (step.argval,) if isinstance(step.argval, str) else step.argval


def _numbers(update: Callable) -> list[float]:
    """Numbers that take part in the arithmetic (not the 0 of ``c[0]``), also by a name: np.pi."""
    steps = list(dis.get_instructions(update))
    constants = [
        step.argval
        for step, following in pairwise(steps)
        if step.opname in ("LOAD_CONST", "LOAD_SMALL_INT")
        and following.opname != "BINARY_SUBSCR"
        and following.argrepr != "[]"
    ]
    literals = [n for c in constants for n in (c if isinstance(c, tuple) else (c,))]
    captured = inspect.getclosurevars(update)
    named = [*captured.globals.values(), *captured.nonlocals.values()]
    modules = [value for value in named if inspect.ismodule(value)]
    named += [getattr(m, name, None) for m in modules for name in update.__code__.co_names]
    return [n for n in literals + named if isinstance(n, (int, float)) and not isinstance(n, bool)]


def read_inputs(
    name: str, coefficients: Callable | None, carried: tuple[str, ...], hyper: tuple[str, ...]
) -> tuple[str, ...]:
    """Names of the hyperparameters that ``coefficients(t, *carried, *inputs)`` takes."""
    if coefficients is None:
        return hyper
    parameters = tuple(parameters_of(coefficients))
    inputs = parameters[1 + len(carried) :]
    known = {RATE, BASE_RATE, *hyper}
    if parameters[: 1 + len(carried)] != ("t", *carried) or not set(inputs) <= known:
        raise ValueError(
            f"{name}: coefficients({', '.join(parameters)}) must take {', '.join(('t', *carried))}"
            f" and then any of: {', '.join(hyper) or '(no hyperparameters)'}"
        )
    return inputs


def code_hash(function: Callable) -> str:
    """Hash of a function's code and of what it captures: the same in every process."""
    return hashlib.sha256(_code_text(function).encode()).hexdigest()


def _code_text(function: Callable) -> str:
    steps = [(step.opname, step.argrepr) for step in dis.get_instructions(function)]
    named = {
        **inspect.getclosurevars(function).globals,
        **inspect.getclosurevars(function).nonlocals,
    }
    texts = [
        f"{name}={_code_text(value) if inspect.isfunction(value) else repr(value)}"
        for name, value in sorted(named.items())
    ]
    return f"{steps} {texts}"
