"""What forward should equal: losses."""

import numpy as np
from scipy import special

from adverify import ops
from tests.ops.references.samples import X, some

Y, P = some(3, 4), special.expit(some(3, 4))
REDUCED = {"mean": np.mean, "sum": np.sum, "none": lambda a: a}


def binary_cross_entropy(x, y):
    p = special.expit(x)
    return -y * np.log(p) - (1 - y) * np.log1p(-p)


def cross_entropy(x, target, weight, smoothing=0.0, reduction="mean"):
    """Item by item; a negative target does not count."""
    losses, counts = [], []
    for row, t in zip(x, target, strict=True):
        logs = np.log(np.exp(row) / np.exp(row).sum())
        losses.append(0 if t < 0 else -(1 - smoothing) * weight[t] * logs[t] - smoothing * np.mean(weight * logs))
        counts.append(0 if t < 0 else weight[t])
    return {"mean": np.sum(losses) / np.sum(counts), "sum": np.sum(losses), "none": np.array(losses)}[reduction]


OTHERS = [
    *(
        (op(reduction=r), lambda x, y, f=f, r=r: REDUCED[r](f(x, y)), X, y)
        for op, f, y in [
            (ops.MseLoss, lambda x, y: np.square(x - y), Y),
            (ops.L1Loss, lambda x, y: np.abs(x - y), Y),
            (ops.HuberLoss, lambda x, y: special.huber(1.0, x - y), Y),
            (ops.BinaryCrossEntropyWithLogits, binary_cross_entropy, P),
            (ops.KlDivLoss, lambda x, y: special.rel_entr(y, np.exp(x)), P),
        ]
        for r in REDUCED
    ),
    (ops.MseLoss(), lambda x, y: np.mean((x - y) ** 2), X, some(4)),
    (ops.HuberLoss(delta=0.5), lambda x, y: special.huber(0.5, x - y).mean(), X, Y),
    (ops.BinaryCrossEntropyWithLogits("sum"), lambda x, y: 800.0, np.array([-800.0, 800]), np.array([1.0, 1])),
    (ops.KlDivLoss("batchmean"), lambda x, y: special.rel_entr(y, np.exp(x)).sum() / 3, X, P),
    (ops.KlDivLoss("sum", log_target=True), lambda x, y: special.rel_entr(np.exp(y), np.exp(x)).sum(), X, Y),
    *(
        (ops.CrossEntropy([2, 0, 3], reduction=r),
         lambda x, r=r: REDUCED[r](-np.log(special.softmax(x, axis=1))[[0, 1, 2], [2, 0, 3]]), X)
        for r in REDUCED
    ),
    (ops.CrossEntropy(3), lambda x: -special.log_softmax(x)[3], 800 * some(4)),
    (ops.CrossEntropy([[1, 0]]), lambda x: (special.logsumexp(x, axis=1) - [[x[0, 1, 0], x[0, 0, 1]]]).mean(),
     some(1, 3, 2)),
    *(
        (ops.CrossEntropy([1, -100, 3], np.arange(1.0, 5), r, label_smoothing=0.25),
         lambda x, r=r: cross_entropy(x, [1, -100, 3], np.arange(1.0, 5), 0.25, r), X)
        for r in REDUCED
    ),
]  # fmt: skip
