"""Schedules as text: ``cosine(warmup=0.1)``, the way they print.  Parsed, never executed."""

import ast
import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from .base import Function, Schedule, kind, names
from .duration import Epochs, Steps

_MOST = 1000  # characters: enough for any schedule, too few to break the parser
_DURATIONS = {"epochs": Epochs, "steps": Steps}


def get(schedule: Any, **arguments: Any) -> Schedule:
    """A schedule from its name and arguments, its text, or itself.

    >>> get("cosine", warmup=0.1) == get("cosine(warmup=0.1)")
    True
    >>> get("warmup(epochs(2)).then(step(every=epochs(10)), after=epochs(2)) * 0.5")
    warmup(duration=epochs(2)).then(step(every=epochs(10)), after=epochs(2)) * 0.5

    A callable ``f(steps, total)`` that returns one factor per step is a schedule too.

    Raises
    ------
    ValueError
        For an unknown name or argument, naming the nearest, and for text of another form.
    TypeError
        For anything else.
    """
    if isinstance(schedule, str):
        text = schedule.strip()
        if arguments or re.fullmatch(r"[a-zA-Z][\w-]{,40}", text):
            return _make(_kind(text), text, (), arguments)
        return _read(text)
    if arguments:
        raise TypeError(f"arguments: {', '.join(arguments)}; accepted: with the name of a schedule")
    if isinstance(schedule, Schedule):
        return schedule
    if isinstance(schedule, type) and issubclass(schedule, Schedule):
        return schedule()
    if callable(schedule):
        return Function(schedule)
    raise TypeError(
        f"schedule: {schedule!r}; accepted: a schedule, its text such as 'cosine(warmup=0.1)', or "
        "a function of (steps, total)"
    )


def _read(text: str) -> Schedule:
    try:
        value = _value(ast.parse(text if len(text) <= _MOST else "", mode="eval").body)
    except (SyntaxError, MemoryError, RecursionError):
        raise _not_understood(text) from None
    if not isinstance(value, Schedule):
        raise _not_understood(text)
    return value


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Call):
        given = [_value(argument) for argument in node.args]
        named = {k.arg or "**": _value(k.value) for k in node.keywords}
        if isinstance(node.func, ast.Attribute) and node.func.attr == "then":
            first = _value(node.func.value)
            if isinstance(first, Schedule):
                return _make(first.then, "then", tuple(given), named)
        if isinstance(node.func, ast.Name):
            name = node.func.id
            made = _DURATIONS.get(name.casefold()) or _kind(name)
            return _make(made, name, tuple(given), named)
    if isinstance(node, ast.Name):
        return _make(_kind(node.id), node.id, (), {})
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_value(element) for element in node.elts]
    if isinstance(node, ast.BinOp):
        first, second = _value(node.left), _value(node.right)
        numbers = [isinstance(value, (int, float)) for value in (first, second)]
        schedules = [isinstance(value, Schedule) for value in (first, second)]
        if isinstance(node.op, ast.Mult) and sum(numbers) < 2 == sum(numbers) + sum(schedules):
            return first * second
        if isinstance(node.op, ast.Div) and all(numbers) and second:
            return first / second  # 1/3
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        raise _not_understood(ast.unparse(node)) from None


def _kind(name: str) -> type[Schedule]:
    key = name.casefold().replace("-", "_")
    try:
        return kind(key)
    except KeyError:
        near = get_close_matches(key, names(), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise ValueError(
            f"schedule: unknown {name!r}{hint} Accepted: {', '.join(names())}"
        ) from None


def _make(made: Callable[..., Any], name: str, given: tuple, named: dict[str, Any]) -> Any:
    """Call it; what it does not take is named, with the nearest that it does."""
    fields = getattr(made, "__dataclass_fields__", None)
    accepted = list(fields) if fields is not None else ["following", "after"]
    listed = ", ".join(accepted) or "none"
    for argument in named:
        if argument not in accepted:
            near = get_close_matches(argument, accepted, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise ValueError(f"{name}: unknown argument {argument!r}{hint} Accepted: {listed}")
    try:
        return made(*given, **named)
    except TypeError:
        raise ValueError(f"{name}: takes other arguments; accepted: {listed}") from None
    except ValueError as error:
        complaint = str(error)
        if complaint.startswith(f"{name}: "):
            raise
        raise ValueError(f"{name}: {complaint}") from None


def _not_understood(text: str) -> ValueError:
    return ValueError(
        f"schedule: {text if len(text) < 80 else text[:77] + '…'!r} is not understood; accepted: "
        "a name, or its arguments too, such as cosine(warmup=0.1) or step(every=epochs(10))"
    )
