"""Gradients that do not have the shape of their input, as where it was broadcast."""

from __future__ import annotations

import itertools

import numpy as np

from adverify.case import Case
from adverify.diagnosis.base import GRADIENT, Fault
from adverify.diagnosis.gathering import alternatives
from adverify.diagnosis.witness import RELATIVE, fresh, true_gradient
from adverify.report import Failure
from adverify.subject import BackwardRaised, Rejected


class Broadcast(Fault):
    """An input's gradient is not added up over the axes along which it was broadcast.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x, y):
                return variable(x.data + y.data)

            def backward(self, x, y, grad):
                x.grad += grad
                y.grad += grad
    """

    kind = "broadcast"
    properties = (*GRADIENT, "shape", "special values")

    def explain(self, failure: Failure) -> str:
        case = failure.case
        if failure.verdict.exception is None and failure.property != "shape":
            return ""
        for i, name in enumerate(case.names):
            answers = [a for a in (_lacks_sum(c, i) for c in itertools.islice(alternatives(case), 24)) if a is not None]
            if _lacks_sum(case, i) and len(answers) >= 2 and all(answers):
                shape, output = case.arrays[i].shape, case.outputs[0].shape
                axes = _broadcast_axes(shape, output)
                what = f"axes {', '.join(map(str, axes))}" if len(axes) > 1 else f"axis {axes[0]}"
                return (f"{name}.grad must be added up over {what} of the output's shape {output}, along which {name} "
                        f"of shape {shape} was broadcast")  # fmt: skip
        return ""


def _lacks_sum(case: Case, i: int) -> bool | None:
    """Whether what backward gives for a broadcast input is right once added up; None if the case does not tell."""
    try:
        if len(case.outputs) != 1 or not _is_broadcast(case.arrays[i].shape, case.outputs[0].shape):
            return None
        gradient = _unreduced(case, i)
        expected, bar = (part[i] for part in true_gradient(case))
    except Rejected:
        return None
    if gradient is None or gradient.shape != case.outputs[0].shape:
        return False
    total = _added_up(gradient, case.arrays[i].shape)
    return bool((np.abs(total - expected) <= bar + RELATIVE * np.abs(total)).all())


def _is_broadcast(shape: tuple[int, ...], output: tuple[int, ...]) -> bool:
    try:
        return shape != output and np.broadcast_shapes(shape, output) == output
    except ValueError:
        return False


def _broadcast_axes(shape: tuple[int, ...], output: tuple[int, ...]) -> tuple[int, ...]:
    padded = (-1,) * (len(output) - len(shape)) + shape
    return tuple(k for k, (a, b) in enumerate(zip(padded, output, strict=True)) if a != b)


def _added_up(gradient: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(gradient.sum(axis=_broadcast_axes(shape, gradient.shape))).reshape(shape)


def _unreduced(case: Case, i: int) -> np.ndarray | None:
    """Give what backward leaves in an input's gradient if that is given room for the output's shape."""
    op, inputs = case.subject.make(), fresh(case)
    case.subject.apply(op, inputs)
    for x, a in zip(inputs, case.arrays, strict=True):
        if _is_broadcast(a.shape, case.outputs[0].shape):
            x.grad = np.zeros(case.outputs[0].shape)
    try:
        return np.asarray(case.subject.pull_back(op, inputs, case.cotangents)[i], float)
    except BackwardRaised:
        return None


class WrongShape(Fault):
    """The gradient has another shape than its input.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(np.exp(x.data))

            def backward(self, x, grad):
                x.grad = x.grad + grad * np.exp(x.data)[None]
    """

    kind = "shape"
    properties = ("shape",)

    def explain(self, failure: Failure) -> str:
        return failure.verdict.reason if " shape " in failure.verdict.reason else ""
