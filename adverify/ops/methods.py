"""What a Variable can do that an ndarray can: operators and methods, each of them an op of the library."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

import numpy as np

from adverify.engine import Variable, variable
from adverify.ops.elementwise import like


def bind(ops: Mapping[str, Any]) -> None:
    """Give `Variable` its operators, methods and properties.

    Parameters
    ----------
    ops : mapping
        Op classes and functions by name.
    """
    for name, op in OPERATORS.items():
        setattr(Variable, f"__{name}__", ops[op]())
        setattr(Variable, f"__r{name}__", _reflected(name))
    for method, function in OPS.items():
        setattr(Variable, method, ops[function])
    for method, function in OPS_OF_SIZES.items():
        setattr(Variable, method, _taking_sizes(ops[function]))
    for method, body in METHODS.items():
        setattr(Variable, method, body)
    for method, body in OF_DATA.items():
        setattr(Variable, method, _of_data(body))
    for name, body in PROPERTIES.items():
        setattr(Variable, name, property(body))


def dot(x: Any, y: Any) -> Any:
    """The product of vectors and matrices, or of an array and a number."""
    dimensions = np.ndim(y.data if isinstance(y, Variable) else y)
    if dimensions > 2:
        raise ValueError(f"dot takes a y of at most two dimensions; got {dimensions}: use x @ y or einsum")
    return x @ y if x.ndim and dimensions else x * y


def iterate(x: Any) -> Iterator[Any]:
    """The elements along the first axis; without it Python would ask for elements until one raises."""
    if not x.ndim:
        raise TypeError("iteration over a 0-d Variable")
    return (x[i] for i in range(len(x)))


def refuse_to_be_an_array(x: Variable, *args: Any, **kwargs: Any) -> NoReturn:
    """Let no NumPy function take a Variable for a sequence of numbers and drop its gradient silently."""
    raise TypeError("NumPy takes no Variable: adverify.ops has functions with gradients, `.data` has the values")


OPERATORS = {
    "add": "Add",
    "sub": "Subtract",
    "mul": "Multiply",
    "truediv": "Divide",
    "floordiv": "FloorDivide",
    "mod": "Remainder",
    "pow": "Power",
    "matmul": "Matmul",
}
"""Operators of two operands, of which either may be a number or an array."""

OPS = {
    "__neg__": "negative",
    "__abs__": "absolute",
    "__getitem__": "getitem",
    **{name: name for name in ("sum", "mean", "prod", "max", "min", "var", "std", "clip")},
}
"""Methods that take what the function takes."""

OPS_OF_SIZES = {"reshape": "reshape", "transpose": "transpose"}
"""Methods that take several numbers for the function's tuple."""

METHODS: dict[str, Callable[..., Any]] = {
    "ravel": lambda x: x.reshape(-1),
    "dot": dot,
    "__iter__": iterate,
    "__array__": refuse_to_be_an_array,
}

# Comparisons give arrays, as NumPy's do, and no gradient. Dicts and sets still find a Variable by identity: they look
# at that first, and its hash, which stays that of the object, differs from that of any other Variable.
OF_DATA: dict[str, Callable[..., Any]] = {
    **{f"__{f.__name__}__": f for f in (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge)},
    **{f"__{f.__name__}__": f for f in (operator.contains, len, bool, int, float)},
    "item": lambda data, *index: data.item(*index),
}
"""What is asked of the values and gives no Variable."""

PROPERTIES: dict[str, Callable[..., Any]] = {
    "T": lambda x: x.transpose(),
    **{name: operator.attrgetter(f"data.{name}") for name in ("shape", "ndim", "size", "dtype")},
}


def _reflected(name: str) -> Callable[[Variable, Any], Any]:
    # By way of the left operand's operator, which a user may have replaced by another op.
    apply = getattr(operator, name)
    return lambda self, other: apply(variable(like(other, self)), self)


def _of_data(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, *others: function(self.data, *(v.data if isinstance(v, Variable) else v for v in others))


def _taking_sizes(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, *sizes: function(self, *(sizes if len(sizes) < 2 else [sizes]))
