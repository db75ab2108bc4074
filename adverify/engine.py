"""Reverse-mode automatic differentiation on NumPy arrays, on one page.

An op is a class with a `forward` that computes and a `backward` that adds each input's share of the gradient, the
vector-Jacobian product (VJP), to that input's `.grad`. Calling an op records a `Node` on its output; `backward`
walks the recorded graph once, from the output to the leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import MethodType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from adverify.calling import call_backward


@dataclass(eq=False, repr=False)
class Variable:
    """An array in a graph: its values, its gradient, and how to send a gradient on.

    Parameters
    ----------
    data : ndarray of float
        The values. `variable` makes one from anything that NumPy can read.
    grad : ndarray, optional
        What has been added up so far, of the shape and dtype of `data`. None stands for zeros, allocated when needed.
    requires_grad : bool
        Whether the gradient is kept at the end of a pass; otherwise it is zero again.
    back : callable, optional
        Takes this Variable's complete cotangent and sends it on; set by calling a `Function`, or by hand.

    Examples
    --------
    >>> x = Variable(np.array([1.0, 2.0]), requires_grad=True)
    >>> x.backward(np.array([3.0, 4.0]))
    >>> x.grad
    array([3., 4.])
    """

    data: Any
    grad: Any = None
    requires_grad: bool = False
    back: Callable[[Any], Any] | None = None

    _grad: Any = field(default=None, init=False)  # what `grad` holds, until zeros are asked for
    _waits: bool = field(default=False, init=False)  # in a pass under way, and not yet visited by it

    __array_ufunc__ = None  # so that NumPy leaves `array @ variable` to Variable.__rmatmul__

    if TYPE_CHECKING:
        # Operators and methods are bound from outside, by adverify.ops or by a user's assignment, which a type checker
        # cannot follow. It is told that there may be any attribute, and of operators, which it looks for on the class,
        # that there are these. What is None is missing: with it, NumPy's stubs would take a Variable for an array.
        def __getattr__(self, name: str) -> Any: ...

        def _operator(self, /, *others: Any) -> Variable: ...

        _bound: ClassVar[Any] = None
        __add__ = __sub__ = __mul__ = __truediv__ = __floordiv__ = __mod__ = __pow__ = __matmul__ = _operator
        __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rfloordiv__ = __rmod__ = __rpow__ = __rmatmul__ = _operator
        __neg__ = __abs__ = _operator
        __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __int__ = __float__ = _bound
        __getitem__ = __iter__ = __len__ = __contains__ = _bound
        __array__ = __buffer__ = __reversed__ = None

    def backward(self, grad: Any = 1.0) -> None:
        """Add the gradient of <`grad`, self> to every Variable of the graph that requires it.

        Each Variable is visited once, when its cotangent is complete (Kahn's topological order): time and memory are
        linear in the size of the graph. Called inside a hand-made `back`, it joins the pass under way.

        Parameters
        ----------
        grad : array_like
            The cotangent, of the shape of `data`; a scalar stands for an array full of it.

        Raises
        ------
        ValueError
            If `grad`, or what an op's backward leaves in `.grad`, has another shape than the data.
        """
        seed = _cotangent(grad, self.data)
        if self._waits:
            self.grad = self.grad + seed
            return
        consumers = _count_consumers(self)
        held = {v: v._grad for v in consumers if v._grad is not None}
        for v in consumers:
            v._grad, v._waits = None, True
        self._grad, ready = seed, [self]
        try:
            while ready:
                v = ready.pop()
                g, back, v._waits = v._grad, v.back, False
                if back is not None:
                    if g is not None:
                        back(g)
                    for x in getattr(back, "inputs", ()):
                        if x in consumers:
                            if x._grad is not None and not _fits(x._grad, x.data):
                                raise _unfit(x, back)
                            consumers[x] -= 1
                            if not consumers[x]:
                                ready.append(x)
                v._grad = _total(held.pop(v, None), g, v) if v.requires_grad else None
                del consumers[v]
        finally:  # an op that raises leaves every gradient not yet complete as it was
            for v in consumers:
                v._grad, v._waits = held.get(v), False

    @property
    def needs_grad(self) -> bool:
        """Whether anyone will read `grad`: not that of a constant in a pass, which an op need not compute."""
        return self.requires_grad or self.back is not None or not self._waits

    def accumulate(self, share: Any) -> None:
        """Add `share` to `grad`, as ``self.grad += share`` does, but without a copy where it is the first.

        For an array that the caller has just made and will not use again: it may be kept, and added to. One that is
        not laid out in C order is copied: a backward may write on ``grad.reshape(-1)``, and is to reach `grad`.

        Examples
        --------
        >>> x = variable([1.0, 2.0])
        >>> x.accumulate(3 * x.data)
        >>> x.accumulate(x.data.copy())
        >>> x.grad
        array([4., 8.])
        """
        if self._grad is not None:
            self._grad += share
        elif getattr(share, "dtype", None) is self.data.dtype and share.shape == self.data.shape and share.flags.carray:
            self._grad = share
        else:
            self.grad += share

    def __repr__(self) -> str:
        body = np.array2string(np.asarray(self.data), separator=", ", prefix="variable(")
        return f"variable({body}{', requires_grad=True' if self.requires_grad else ''})"


def _read_grad(self: Variable) -> Any:
    if self._grad is None:
        self._grad = np.zeros(self.data.shape, self.data.dtype)
    elif isinstance(self._grad, np.generic):  # what NumPy makes of sums of 0-d arrays; indexing could not assign to it
        self._grad = np.asarray(self._grad)
    return self._grad


def _write_grad(self: Variable, value: Any) -> None:
    self._grad = value


# Set after the decorator ran, which would take a property in the class body for the field's default.
Variable.grad = property(_read_grad, _write_grad)


class Function:
    """An op: `forward(*variables) -> Variable` and `backward(*variables, grad)`, written by its author.

    `backward` adds to each input's `.grad` the product of `grad`, the cotangent of the output, with the Jacobian of
    `forward`. A forward that returns a tuple of Variables makes an op of several outputs; its backward then takes a
    tuple of cotangents, zeros for an output that nothing used. A backward written ``(*variables, grad)`` is given it by
    its name. An instance assigned to a class is a method of it:
    ``Variable.__matmul__ = MatMul()``.

    Examples
    --------
    >>> class Square(Function):
    ...     def forward(self, x):
    ...         return variable(x.data**2)
    ...     def backward(self, x, grad):
    ...         x.grad += 2 * grad * x.data
    >>> x = variable([1.0, 3.0], requires_grad=True)
    >>> Square()(x).backward()
    >>> x.grad
    array([2., 6.])
    """

    forward: Callable[..., Any]
    backward: Callable[..., Any]

    def __call__(self, *variables: Any) -> Any:
        """Apply the op; numbers and arrays among `variables` become constants of the graph."""
        inputs = tuple([v if isinstance(v, Variable) or v is None else variable(v) for v in variables])
        result = self.forward(*inputs)
        if isinstance(result, Variable):
            if result.back is not None or id(result) in map(id, inputs):
                result = Variable(result.data)
            result.back = Node(self, inputs)
            return result
        if isinstance(result, tuple) and result and all(isinstance(y, Variable) for y in result):
            bundle = _Outputs(tuple(y.data for y in result), back=Node(self, inputs))
            return tuple(Variable(y.data, back=_Output(bundle, i)) for i, y in enumerate(result))
        name = type(self).__name__
        raise TypeError(f"{name}.forward returned {_kind(result)}, not a Variable; end it with `return variable(...)`")

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)


class Node:
    """One use of a Function: called with the output's cotangent, it adds to the inputs' gradients."""

    __slots__ = ("function", "inputs")

    def __init__(self, function: Function, inputs: tuple[Variable | None, ...]) -> None:
        self.function, self.inputs = function, inputs

    def __call__(self, grad: Any) -> None:
        call_backward(self.function, self.inputs, grad)


class _Outputs(Variable):
    """All outputs of one call that returned several; its gradient is the tuple of their cotangents."""


class _Output:
    """The `back` of one of several outputs: hands its cotangent to the call they share."""

    __slots__ = ("index", "inputs")

    def __init__(self, outputs: _Outputs, index: int) -> None:
        self.inputs, self.index = (outputs,), index

    def __call__(self, grad: Any) -> None:
        (outputs,) = self.inputs
        parts = outputs._grad or tuple(np.zeros(y.shape, y.dtype) for y in outputs.data)
        outputs._grad = (*parts[: self.index], grad, *parts[self.index + 1 :])


def variable(data: Any, requires_grad: bool = False, back: Callable[[Any], Any] | None = None) -> Variable:
    """Make a Variable of anything that NumPy reads as numbers.

    Parameters
    ----------
    data : array_like
        Floating-point arrays are shared, not copied, and keep their dtype; everything else becomes float64.
    requires_grad, back
        As for `Variable`.

    Raises
    ------
    TypeError
        If `data` is complex or not numeric.

    Examples
    --------
    >>> variable([1, 2])
    variable([1., 2.])
    """
    array = np.asarray(data)
    if array.dtype.kind != "f":
        if array.dtype.kind not in "biu":
            raise TypeError(f"a Variable holds real numbers; got {_kind(data)} of dtype {array.dtype}")
        array = array.astype(np.float64)
    return Variable(array, None, requires_grad, back)


Tensor = Variable


def tensor(data: Any) -> Variable:
    """Make a leaf that requires its gradient.

    Examples
    --------
    >>> tensor([1.0])
    variable([1.], requires_grad=True)
    """
    return variable(data, requires_grad=True)


def _count_consumers(root: Variable) -> dict[Variable, int]:
    """How many times each Variable below `root` is an input, in the part of the graph that no pass is visiting."""
    consumers = {root: 0}
    stack = [root]
    while stack:
        for x in getattr(stack.pop().back, "inputs", ()):
            if x in consumers:
                consumers[x] += 1
            elif x is not None and not x._waits:
                consumers[x] = 1
                stack.append(x)
    return consumers


def _cotangent(grad: Any, data: np.ndarray) -> np.ndarray:
    array = np.array(grad, dtype=data.dtype)
    if array.shape == data.shape:
        return array
    if array.ndim == 0:
        return np.full(data.shape, array)
    raise ValueError(f"backward got a cotangent of shape {array.shape} for a Variable of shape {data.shape}")


def _fits(grad: Any, data: Any) -> bool:
    """Whether shapes are equal; a number has none, and neither has the tuple of several outputs."""
    return getattr(grad, "shape", ()) == getattr(data, "shape", ())


def _unfit(x: Variable, back: Any) -> ValueError:
    name = type(getattr(back, "function", back)).__name__
    return ValueError(f"{name}.backward left a gradient of shape {np.shape(x._grad)} on an input of shape "
                      f"{x.data.shape}; sum it over the axes that were broadcast")  # fmt: skip


def _total(before: Any, g: Any, v: Variable) -> Any:
    """`before` + `g`, in the dtype of `v`."""
    if g is None:
        return before
    g = np.asarray(g, v.data.dtype)
    if before is None:
        return g
    before += g
    return before


def _kind(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
