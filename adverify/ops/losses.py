"""Losses, as PyTorch defines them: what training makes small."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from scipy import special

from adverify.domains import nonnegative, real
from adverify.engine import Function, Variable, variable
from adverify.ops.elementwise import Binary
from adverify.ops.softmaxes import log_shares_of, shares_of

REDUCTIONS = ("mean", "sum", "none")


def _checked(reduction: str, valid: Sequence[str], loss: Function) -> str:
    if reduction not in valid:
        raise ValueError(f"{type(loss).__name__} needs a reduction of {', '.join(valid)}; got {reduction!r}")
    return reduction


class Loss(Binary):
    """A loss of each element of input and target, which broadcast, then their mean or sum.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
    """

    arguments: ClassVar[Mapping[str, Any]] = {"reduction": REDUCTIONS}
    reductions: ClassVar[tuple[str, ...]] = REDUCTIONS

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = _checked(reduction, self.reductions, self)

    def forward(self, x: Variable, y: Variable) -> Variable:
        each = super().forward(x, y)
        return each if self.reduction == "none" else variable(each.data.sum() / self._parts(each.data.shape))

    def backward(self, x: Variable, y: Variable, grad: Any) -> None:
        shape = np.broadcast_shapes(x.data.shape, y.data.shape)
        # An empty loss has no share to give, and its mean is not a number.
        super().backward(x, y, np.broadcast_to(grad / max(1, self._parts(shape)), shape))

    def _parts(self, shape: tuple[int, ...]) -> int:
        """What the sum of all elements is divided by."""
        return math.prod({"mean": shape, "batchmean": shape[:1]}.get(self.reduction, ()))


class MseLoss(Loss):
    """(x - y)**2 of input and target."""

    def value(self, x: np.ndarray, y: np.ndarray) -> Any:
        return (x - y) ** 2

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        return 2 * (x - y), 2 * (y - x)


class L1Loss(Loss):
    """abs(x - y) of input and target; the subgradient at equality is 0."""

    name = "l1_loss"

    def value(self, x: np.ndarray, y: np.ndarray) -> Any:
        return np.abs(x - y)

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        return np.sign(x - y), np.sign(y - x)


class HuberLoss(Loss):
    """(x - y)**2 / 2 within a distance, delta * (abs(x - y) - delta / 2) beyond it.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
    delta : float
        Positive.
    """

    arguments: ClassVar[Mapping[str, Any]] = {"reduction": REDUCTIONS, "delta": (1.0, 2.5)}

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        if not delta > 0:
            raise ValueError(f"huber_loss needs delta > 0; got delta={delta}")
        super().__init__(reduction)
        self.delta = delta

    def value(self, x: np.ndarray, y: np.ndarray) -> Any:
        distance = np.abs(x - y)
        near = np.minimum(distance, self.delta)
        return near * (distance - 0.5 * near)

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        slope = np.clip(x - y, -self.delta, self.delta)
        return slope, -slope


class BinaryCrossEntropyWithLogits(Loss):
    """-y log(sigmoid(x)) - (1 - y) log(1 - sigmoid(x)) of logits and targets, without overflow."""

    def value(self, x: np.ndarray, y: np.ndarray) -> Any:
        return np.maximum(x, 0) - x * y + np.log1p(np.exp(-np.abs(x)))

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        return (1 - y) * special.expit(x) - y * special.expit(-x), -x


class KlDivLoss(Loss):
    """y * (log(y) - x) of log-probabilities and probabilities: how far one distribution is from the target.

    The slope of y log(y) at 0 is infinite.

    Parameters
    ----------
    reduction : {"mean", "sum", "none", "batchmean"}
        "batchmean" divides the sum by the length of the first axis.
    log_target : bool
        Whether the target, too, is given by logarithms.
    """

    reductions: ClassVar[tuple[str, ...]] = (*REDUCTIONS, "batchmean")
    arguments: ClassVar[Mapping[str, Any]] = {"reduction": reductions}
    domain = (real, nonnegative)  # of probabilities; logarithms of them may be anything

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction)
        self.log_target = log_target

    def value(self, x: np.ndarray, y: np.ndarray) -> Any:
        return np.exp(y) * (y - x) if self.log_target else special.xlogy(y, y) - x * y

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        if self.log_target:
            return -np.exp(y), np.exp(y) * (y - x + 1)
        return -y, np.log(y) + 1 - x


class CrossEntropy(Function):
    """-log(softmax(x)[target]) over classes.

    Input: x (n, classes, ...), or (classes,) for a single item.

    Parameters
    ----------
    target : array_like of int
        The class of each item, of the shape of x without its axis of classes.
    weight : array_like of float, optional
        How much each class counts; a mean is over what was counted.
    reduction : {"mean", "sum", "none"}
    ignore_index : int
        The target of items that do not count.
    label_smoothing : float
        This share of the target is spread over all classes evenly (Szegedy et al., "Rethinking the inception
        architecture", 2016).
    """

    arguments: ClassVar = {"target": ([0, 1], [2, 0, -100], 1), "reduction": REDUCTIONS}

    def __init__(
        self, target: Any, weight: Any = None, reduction: str = "mean", ignore_index: int = -100,
        label_smoothing: float = 0.0,
    ) -> None:  # fmt: skip
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"cross_entropy needs label_smoothing in [0, 1]; got label_smoothing={label_smoothing}")
        self.target = np.asarray(target)
        if self.target.dtype.kind not in "iu" and self.target.size:
            raise ValueError(f"cross_entropy needs a target of whole numbers; got {self.target.dtype}")
        self.weight = None if weight is None else np.asarray(weight, dtype=float)
        self.reduction = _checked(reduction, REDUCTIONS, self)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, x: Variable) -> Variable:
        axis, places, counts = self._items(x.data)
        logs = log_shares_of(x.data, axis)
        each = -np.where(counts == 0, 0, np.take_along_axis(logs, places, axis) * counts)
        if self.label_smoothing:
            even = -(logs * self._weights(x.data, axis)).mean(axis=axis, keepdims=True)
            each = (1 - self.label_smoothing) * each + self.label_smoothing * even
        return variable(each.squeeze(axis) if self.reduction == "none" else each.sum() / self._parts(counts))

    def backward(self, x: Variable, grad: Any) -> None:
        axis, places, counts = self._items(x.data)
        slope = shares_of(x.data, axis)
        even: Any = 0
        if self.label_smoothing:
            weights = self._weights(x.data, axis)
            even = self.label_smoothing * (slope * weights.mean(axis=axis, keepdims=True)
                                           - weights / x.data.shape[axis])  # fmt: skip
        np.put_along_axis(slope, places, 0, axis)
        np.put_along_axis(slope, places, -slope.sum(axis=axis, keepdims=True), axis)  # share - 1, without cancellation
        slope *= (1 - self.label_smoothing) * counts
        slope += even
        slope *= np.expand_dims(grad, axis) if self.reduction == "none" else grad / self._parts(counts)
        x.accumulate(slope)

    def _items(self, x: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
        """Give the axis of classes, the place of each item's target along it, and how much the item counts."""
        axis = min(1, x.ndim - 1)
        if not x.ndim or x.shape[:axis] + x.shape[axis + 1 :] != self.target.shape:
            where = ("classes", *self.target.shape) if self.target.ndim == 0 else (
                *self.target.shape[:1], "classes", *self.target.shape[1:])  # fmt: skip
            raise ValueError(f"cross_entropy takes x ({', '.join(map(str, where))}) for this target; "
                             f"got shape {x.shape}")  # fmt: skip
        classes = x.shape[axis]
        counted = self.target != self.ignore_index
        places = np.where(counted, self.target, 0)
        if places.size and not 0 <= places.min() <= places.max() < classes:
            raise ValueError(f"cross_entropy takes targets below the number of classes, {classes}; got {self.target}")
        if self.weight is not None and self.weight.shape != (classes,):
            raise ValueError(f"cross_entropy takes a weight for each of {classes} classes; got {self.weight.shape}")
        counts = counted if self.weight is None else counted * self.weight[places]
        return axis, np.expand_dims(places, axis), np.expand_dims(counts, axis).astype(x.dtype)

    def _weights(self, x: np.ndarray, axis: int) -> np.ndarray:
        """How much each class of each item counts."""
        counted = np.expand_dims(self.target != self.ignore_index, axis)
        weight = np.ones(x.shape[axis]) if self.weight is None else self.weight
        return (weight.reshape([-1 if i == axis else 1 for i in range(x.ndim)]) * counted).astype(x.dtype)

    def _parts(self, counts: np.ndarray) -> Any:
        """What the sum over items is divided by."""
        return counts.sum() if self.reduction == "mean" else 1
