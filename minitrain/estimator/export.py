"""Take a fitted network elsewhere: torch's names, ONNX, a NumPy function, a C header.

Every form computes from raw rows what the estimator does: probabilities of a classifier (all
classes, or one per label), numbers of a regressor.
"""

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..kernels.normalization import EPSILON
from .parameters import ENGINE_ACTIVATION

_OUT = {"softmax": "softmax", "logistic": "sigmoid", "identity": "identity", "exp": "exp"}


class Normalized(NamedTuple):
    """What stands between the product of a layer and its activation; ``mean`` for batches alone."""

    scale: np.ndarray
    shift: np.ndarray
    mean: np.ndarray | None
    variance: np.ndarray | None


def normalizations(estimator: Any) -> list[Normalized | None]:
    """One for each layer; the last has none."""
    hidden = len(estimator.coefs_) - 1
    if not hasattr(estimator, "norm_scales_"):
        return [None] * (hidden + 1)
    none = [None] * hidden
    kept = [getattr(estimator, f"norm_{n}_", none) for n in ("means", "variances")]
    parts = zip(estimator.norm_scales_, estimator.norm_shifts_, *kept, strict=True)
    return [*(Normalized(*part) for part in parts), None]


def folded(estimator: Any) -> list[tuple[np.ndarray, np.ndarray, str, Normalized | None]]:
    """`layers` and their normalisation; that of batches, which is fixed now, is in W and b."""
    found = []
    for (W, b, name), norm in zip(layers(estimator), normalizations(estimator), strict=True):
        if norm is not None and norm.mean is not None:
            factor = norm.scale / np.sqrt(norm.variance + W.dtype.type(EPSILON))
            W, b, norm = W * factor, (b - norm.mean) * factor + norm.shift, None
        found.append((W, b, name, norm))
    return found


def layers(estimator: Any) -> list[tuple[np.ndarray, np.ndarray, str]]:
    """(W (in, out), b (out,), name of the activation after it) of each layer."""
    check_is_fitted(estimator)
    hidden = ENGINE_ACTIVATION.get(estimator.activation, estimator.activation)
    names = [hidden] * (len(estimator.coefs_) - 1) + [_OUT[estimator.out_activation_]]
    return list(zip(estimator.coefs_, estimator.intercepts_, names, strict=True))


def to_torch(estimator: Any) -> dict[str, np.ndarray]:
    """Arrays named as the ``state_dict`` of ``nn.Sequential(Linear, activation, Linear, …)``.

    ``model.load_state_dict({k: torch.from_numpy(v) for k, v in clf.to_torch().items()})``

    With normalization, LayerNorm or BatchNorm1d stands between each Linear and its activation.
    """
    found, place = {}, 0
    for (W, b, _), norm in zip(layers(estimator), normalizations(estimator), strict=True):
        found[f"{place}.weight"] = np.ascontiguousarray(W.T)
        found[f"{place}.bias"] = b.copy()
        if norm is not None:
            place += 1
            found[f"{place}.weight"] = norm.scale.copy()
            found[f"{place}.bias"] = norm.shift.copy()
            if norm.mean is not None and norm.variance is not None:
                found[f"{place}.running_mean"] = norm.mean.copy()
                found[f"{place}.running_var"] = norm.variance.copy()
                found[f"{place}.num_batches_tracked"] = np.array(0)
        place += 2
    return found


_NUMPY = {
    "identity": "z",
    "relu": "np.maximum(z, 0)",
    "leaky_relu": "np.where(z > 0, z, 0.01 * z)",
    "tanh": "np.tanh(z)",
    "sigmoid": "1 / (1 + np.exp(-z))",
    "gelu": "0.5 * z * (1 + np.vectorize(math.erf)(z / math.sqrt(2)))",
    "silu": "z / (1 + np.exp(-z))",
    "exp": "np.exp(z)",
    "softmax": "(e := np.exp(z - z.max(axis=1, keepdims=True))) / e.sum(axis=1, keepdims=True)",
}


def to_numpy(estimator: Any) -> str:
    """Source of a module with one function ``predict(X)`` that needs NumPy alone."""
    dtype = estimator.coefs_[0].dtype if hasattr(estimator, "coefs_") else None
    lines = ['"""Written by minitrain."""', "", "import math  # noqa: F401", ""]
    lines += ["import numpy as np", "", "LAYERS = ["]
    stack = folded(estimator)
    for W, b, _, norm in stack:
        arrays = [W, b] if norm is None else [W, b, norm.scale, norm.shift]
        text = [f"np.array({a.tolist()!r}, np.{dtype})" for a in arrays]
        lines.append("    (" + ",\n     ".join(text) + "),")
    lines += ["]", "", "", "def predict(X):"]
    lines.append(f"    z = np.asarray(X, np.{dtype})")
    for i, (_, _, name, norm) in enumerate(stack):
        lines.append(f"    z = z @ LAYERS[{i}][0] + LAYERS[{i}][1]")
        if norm is not None:
            lines.append("    z = z - z.mean(axis=1, keepdims=True)")
            lines.append(
                f"    z = z / np.sqrt((z * z).mean(axis=1, keepdims=True) + {EPSILON!r})"
                f" * LAYERS[{i}][2] + LAYERS[{i}][3]"
            )
        if name != "identity":
            lines.append(f"    z = {_NUMPY[name]}")
    return "\n".join([*lines, f"    return np.asarray(z, np.{dtype})", ""])


_C = {
    "relu": "z > 0 ? z : 0",
    "leaky_relu": "z > 0 ? z : 0.01 * z",
    "tanh": "tanh(z)",
    "sigmoid": "1 / (1 + exp(-z))",
    "gelu": "0.5 * z * (1 + erf(z / sqrt(2.0)))",
    "silu": "z / (1 + exp(-z))",
    "exp": "exp(z)",
}


def to_c(estimator: Any, name: str = "minitrain") -> str:
    """A C99 header with ``static void NAME_predict(const T *x, T *y)`` for one row.

    T is float or double, as the network; nothing but math.h is needed.
    """
    if not (name.isascii() and name.isidentifier()):
        raise ValueError(f"name: {name!r}; accepted: a name of C")
    stack = folded(estimator)
    T = "float" if stack[0][0].dtype == np.float32 else "double"
    lines = ["/* Written by minitrain. */", "#include <math.h>", ""]
    lines.append(f"#define {name.upper()}_INPUTS {len(stack[0][0])}")
    lines.append(f"#define {name.upper()}_OUTPUTS {len(stack[-1][1])}")
    lines.append("")
    for i, (W, b, _, norm) in enumerate(stack):
        arrays = [("W", W), ("b", b)]
        arrays += [] if norm is None else [("scale", norm.scale), ("shift", norm.shift)]
        for letter, values in arrays:
            text = ",".join(repr(float(v)) for v in values.reshape(-1))
            lines.append(f"static const {T} {name}_{letter}{i}[{values.size}] = {{{text}}};")
    lines += ["", f"static void {name}_predict(const {T} *x, {T} *y) {{"]
    source = "x"
    for i, (W, _, kind, norm) in enumerate(stack):
        I, O = W.shape
        goal = "y" if i == len(stack) - 1 else f"a{i}"
        if goal != "y":
            lines.append(f"  {T} {goal}[{O}];")
        lines.append(f"  for (int o = 0; o < {O}; o++) {{")
        lines.append(f"    {T} z = {name}_b{i}[o];")
        lines.append(
            f"    for (int i = 0; i < {I}; i++) z += {source}[i] * {name}_W{i}[i * {O} + o];"
        )
        if norm is not None:
            lines += [
                f"    {goal}[o] = z;",
                "  }",
                f"  {T} mean{i} = 0, square{i} = 0;",
                f"  for (int o = 0; o < {O}; o++) mean{i} += {goal}[o] / {O};",
                f"  for (int o = 0; o < {O}; o++)"
                f" square{i} += ({goal}[o] - mean{i}) * ({goal}[o] - mean{i}) / {O};",
                f"  for (int o = 0; o < {O}; o++) {{",
                f"    {T} z = ({goal}[o] - mean{i}) / sqrt(square{i} + {EPSILON!r})"
                f" * {name}_scale{i}[o] + {name}_shift{i}[o];",
            ]
        lines.append(f"    {goal}[o] = {_C.get(kind, 'z')};")
        lines.append("  }")
        source = goal
    if stack[-1][2] == "softmax":
        n = len(stack[-1][1])
        lines += [
            f"  {T} top = y[0], sum = 0;",
            f"  for (int o = 1; o < {n}; o++) if (y[o] > top) top = y[o];",
            f"  for (int o = 0; o < {n}; o++) sum += y[o] = exp(y[o] - top);",
            f"  for (int o = 0; o < {n}; o++) y[o] /= sum;",
        ]
    return "\n".join([*lines, "}", ""])


_ONNX = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid", "exp": "Exp"}


def to_onnx(estimator: Any, path: Any = None) -> Any:
    """The network as an ONNX model (opset 17): "X" (rows, features) in, "Y" out; also to a file.

    Raises
    ------
    ImportError
        If onnx is missing (the extra ``export``).
    """
    try:
        import onnx
        from onnx import helper, numpy_helper
    except ImportError:
        raise ImportError(
            "onnx is missing, which models are exported with: pip install 'minitrain[export]'"
        ) from None
    nodes: list[Any] = []
    constants: list[Any] = []
    here = "X"

    def constant(name: str, value: Any) -> str:
        constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(kind: str, *inputs: str, **options: Any) -> str:
        output = f"n{len(nodes)}"
        nodes.append(helper.make_node(kind, list(inputs), [output], **options))
        return output

    stack, between = layers(estimator), normalizations(estimator)
    dtype = stack[0][0].dtype
    for i, (W, b, kind) in enumerate(stack):
        here = node("Gemm", here, constant(f"W{i}", W), constant(f"b{i}", b))
        norm = between[i]
        if norm is not None:
            given = [constant(f"scale{i}", norm.scale), constant(f"shift{i}", norm.shift)]
            if norm.mean is None:
                here = node("LayerNormalization", here, *given, axis=1, epsilon=EPSILON)
            else:
                given += [constant(f"mean{i}", norm.mean), constant(f"variance{i}", norm.variance)]
                here = node("BatchNormalization", here, *given, epsilon=EPSILON)
        if kind == "softmax":
            here = node("Softmax", here, axis=1)
        elif kind == "leaky_relu":
            here = node("LeakyRelu", here, alpha=0.01)
        elif kind == "silu":
            here = node("Mul", here, node("Sigmoid", here))
        elif kind == "gelu":
            root = constant(f"root{i}", np.array(np.sqrt(0.5), dtype))
            one, half = (constant(f"{n}{i}", np.array(v, dtype)) for n, v in
                         (("one", 1), ("half", 0.5)))  # fmt: skip
            inner = node("Mul", here, root)
            if dtype == np.float64:  # onnxruntime has no Erf for it
                inner = node("Cast", inner, to=onnx.TensorProto.FLOAT)
                erf = node("Cast", node("Erf", inner), to=onnx.TensorProto.DOUBLE)
            else:
                erf = node("Erf", inner)
            cumulative = node("Add", erf, one)
            here = node("Mul", node("Mul", here, half), cumulative)
        elif kind != "identity":
            here = node(_ONNX[kind], here)
    nodes.append(helper.make_node("Identity", [here], ["Y"]))
    element = helper.np_dtype_to_tensor_dtype(dtype)
    graph = helper.make_graph(
        nodes,
        "minitrain",
        [helper.make_tensor_value_info("X", element, ["rows", len(stack[0][0])])],
        [helper.make_tensor_value_info("Y", element, ["rows", len(stack[-1][1])])],
        constants,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="minitrain"
    )
    onnx.checker.check_model(model)
    if path is not None:
        onnx.save(model, str(path))
    return model
