"""Rules and surfaces as JavaScript, from their own Python source.

A rule is plain arithmetic on one element, and so is a surface: small enough a language to be
translated by hand.  So the interactive page computes with what is compiled here, a user's own
rules included, and nothing is written twice.  A test runs both and compares.
"""

import ast
import inspect
import json
import math
import textwrap
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..optimizer import Optimizer
from .surfaces import Surface

_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_COMPARISONS = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "===", ast.NotEq: "!==",
}  # fmt: skip
_FUNCTIONS = {
    "sqrt": "Math.sqrt", "exp": "Math.exp", "log": "Math.log", "sin": "Math.sin",
    "cos": "Math.cos", "tanh": "Math.tanh", "abs": "Math.abs", "fabs": "Math.abs",
    "sign": "Math.sign", "maximum": "Math.max", "minimum": "Math.min", "max": "Math.max",
    "min": "Math.min", "pow": "Math.pow", "power": "Math.pow", "floor": "Math.floor",
    "cube_root": "Math.cbrt", "expm1": "Math.expm1", "log1p": "Math.log1p", "float": "Number",
}  # fmt: skip
_RESERVED = {"new", "var", "let", "const", "function", "this", "delete", "typeof", "void", "switch"}


class NotTranslatable(ValueError):
    """The function uses something that has no counterpart here; the message says what."""


def translate(function: Callable) -> str:
    """A JavaScript function expression that computes what the Python function does.

    Raises
    ------
    NotTranslatable
        If the source is not at hand, or holds more than arithmetic, tuples, ``math`` and ``if``.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError) as error:
        raise NotTranslatable(f"{function.__name__}: no source ({error})") from None
    definition = tree.body[0]
    if not isinstance(definition, ast.FunctionDef):
        raise NotTranslatable(f"{function.__name__}: not written with def")
    scope = inspect.getclosurevars(function)
    return _Translator({**scope.globals, **scope.nonlocals}).function(definition)


def surface_source(surface: Surface) -> str:
    """The surface as a JavaScript object."""
    facts = {
        "name": surface.name, "title": surface.title, "formula": surface.formula,
        "start": list(surface.start), "window": [list(w) for w in surface.window],
        "steps": surface.steps, "minima": [list(m) for m in surface.minima],
        "shows": surface.shows, "source": surface.source,
    }  # fmt: skip
    return f"{{...{_json(facts)}, f: {translate(surface.function)}}}"


def optimizer_source(optimizer: Optimizer) -> str:
    """The optimizer's rule as a JavaScript object, with the hyperparameters as its defaults."""
    rule, hyper = optimizer.rule, optimizer.hyperparameters
    _check_one_element(optimizer)
    # Before the state is made, which compiles the rule: what fails here has the clearer message.
    coefficients, update = translate(rule.coefficients), translate(optimizer.variant.update)
    off = {n for n in rule.flags if not hyper[n]}  # this variant has no use for them
    own = {
        n: v for n, v in hyper.items()
        if n in rule.takes and not isinstance(v, bool) and n not in off
    }  # fmt: skip
    arrays = optimizer.init(np.zeros(2)).arrays
    facts = {
        "name": rule.name, "title": rule.title, "lr": optimizer.lr, "hyper": own,
        "takes": [n if n in own else float(hyper[n]) for n in rule.takes],
        "carry": arrays.carry.tolist(),
        "slots": [
            "p" if rule.start.get(name) == "p" else float(slot[0])
            for name, slot in zip(optimizer.variant.slots, arrays.slots, strict=True)
        ],
        "decay": hyper["weight_decay"], "decoupled": hyper["decoupled_weight_decay"],
        "bounded": [n for n in own if n.startswith("beta") or n in ("alpha", "rho")],
    }  # fmt: skip
    return f"{{...{_json(facts)}, coefficients: {coefficients}, update: {update}}}"


def _check_one_element(optimizer: Optimizer) -> None:
    """Rules that need more than the element at hand (norms, averages to evaluate at, the rate)
    have parts that the page knows nothing of."""
    rule, variant = optimizer.rule, optimizer.variant
    asks = [getattr(rule, name, None) for name in ("sums", "own_step", "own_decay")]
    modifiers = getattr(optimizer, "modifiers", None)
    if (
        any(asks)
        or getattr(rule, "rate_at", -1) >= 0
        or getattr(variant, "point", None)
        or (modifiers and modifiers.given())
    ):
        raise NotTranslatable(f"{rule.name}: its step is more than a rule for one element")
    unknown = [name for name in rule.takes if name not in optimizer.hyperparameters]
    if unknown:
        raise NotTranslatable(f"{rule.name}: takes {unknown[0]}")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).replace("</", "<\\/")


class _Translator:
    """One function's syntax tree, from the outside in; ``known`` are the names it captures."""

    def __init__(self, known: dict[str, Any]) -> None:
        self._known = known

    def function(self, node: ast.FunctionDef) -> str:
        arguments = node.args
        if arguments.kwonlyargs or arguments.kwarg or arguments.defaults:
            raise NotTranslatable(f"{node.name}: keyword arguments")
        names = [_name(a.arg) for a in (*arguments.posonlyargs, *arguments.args)]
        given = names + ([f"...{arguments.vararg.arg}"] if arguments.vararg else [])
        stores = {
            _name(n.id) for n in ast.walk(node)
            if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        }  # fmt: skip
        new = sorted(stores - set(names))
        declared = f"let {', '.join(new)}; " if new else ""
        return f"function ({', '.join(given)}) {{ {declared}{self._block(node.body)} }}"

    def _block(self, statements: Iterable[ast.stmt]) -> str:
        return " ".join(filter(None, map(self._statement, statements)))

    def _statement(self, node: ast.stmt) -> str:
        match node:
            case ast.Expr(value=ast.Constant(value=str())) | ast.Pass():
                return ""  # a docstring
            case ast.Return(value=value) if value is not None:
                return f"return {self._value(value)};"
            case ast.Assign(targets=[target], value=value):
                return f"{self._value(target)} = {self._value(value)};"
            case ast.AugAssign(target=target, op=op, value=value):
                changed = ast.BinOp(left=ast.Name(id=_target(target)), op=op, right=value)
                return f"{self._value(target)} = {self._value(changed)};"
            case ast.If(test=test, body=body, orelse=orelse):
                other = f" else {{ {self._block(orelse)} }}" if orelse else ""
                return f"if ({self._value(test)}) {{ {self._block(body)} }}{other}"
        raise NotTranslatable(f"line {node.lineno}: {ast.unparse(node)}")

    def _value(self, node: ast.expr) -> str:
        match node:
            case ast.Constant(value=bool() as value):
                return str(value).lower()
            case ast.Constant(value=int() | float() as value):
                return repr(value)
            case ast.Name(id=name):
                return self._captured(name)
            case ast.Tuple(elts=parts):
                return f"[{', '.join(map(self._value, parts))}]"
            case ast.Starred(value=value):
                return f"...{self._value(value)}"
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return f"(-{self._value(operand)})"
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return f"(!{self._value(operand)})"
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return f"Math.pow({self._value(left)}, {self._value(right)})"
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return f"({self._value(left)} {_OPERATORS[type(op)]} {self._value(right)})"
            case ast.BoolOp(op=op, values=values):
                sign = " && " if isinstance(op, ast.And) else " || "
                return f"({sign.join(map(self._value, values))})"
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARISONS:
                return f"({self._value(left)} {_COMPARISONS[type(op)]} {self._value(right)})"
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return f"({self._value(test)} ? {self._value(body)} : {self._value(orelse)})"
            case ast.Attribute(value=ast.Name(id="math" | "np"), attr="pi" | "e" | "inf" as name):
                return _number(getattr(math, name))
            case ast.Call(func=function, args=arguments, keywords=[]):
                return self._call(function, [self._value(a) for a in arguments])
        raise NotTranslatable(f"{ast.unparse(node)}")

    def _captured(self, name: str) -> str:
        value = self._known.get(name)
        if isinstance(value, (bool, int, float, np.floating, np.integer)):
            return _number(value)
        return _name(name)

    def _call(self, function: ast.expr, arguments: list[str]) -> str:
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            name = function.attr if function.value.id in ("math", "np", "numpy") else ""
        else:
            name = function.id if isinstance(function, ast.Name) else ""
            if inspect.isfunction(self._known.get(name)):  # a helper of the rule's own
                return f"({translate(self._known[name])})({', '.join(arguments)})"
        if name == "where":
            return f"({arguments[0]} ? {arguments[1]} : {arguments[2]})"
        if name not in _FUNCTIONS:
            raise NotTranslatable(f"{ast.unparse(function)}(…)")
        return f"{_FUNCTIONS[name]}({', '.join(arguments)})"


def _name(name: str) -> str:
    return f"{name}_" if name in _RESERVED else name


def _target(node: ast.expr) -> str:
    if not isinstance(node, ast.Name):
        raise NotTranslatable(ast.unparse(node))
    return node.id


def _number(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(float(value)) if math.isfinite(value) else f"{'-' if value < 0 else ''}Infinity"
