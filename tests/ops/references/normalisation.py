"""What forward should equal: normalisation over various axes."""

import numpy as np

from adverify import ops
from tests.ops.references.samples import X, some


def standardised(x, axes=-1, eps=1e-5):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def by_groups(x, weight, bias, groups):
    y = np.empty_like(x)
    for item in range(len(x)):
        for own in np.split(np.arange(x.shape[1]), groups):
            part = x[item, own]
            y[item, own] = (part - part.mean()) / np.sqrt(part.var() + 1e-5)
    return y * weight[:, None] + bias[:, None]


HUGE = np.array([[1e200, 2e200, -1e200, 0.0], [1e-200, 0.0, 0.0, 0.0]])

OTHERS = [
    (ops.LayerNorm(), standardised, some(3, 5)),
    (ops.LayerNorm((3, 4), eps=0.1), lambda x, w, b: standardised(x, (1, 2), 0.1) * w + b, some(2, 3, 4), some(3, 4),
     some(3, 4)),
    (ops.LayerNorm(), lambda x: standardised(x / 1e200, eps=0), HUGE[:1]),
    (ops.LayerNorm(), lambda x: (x - x.mean()) / np.sqrt(1e-5), HUGE[1:]),
    (ops.RmsNorm(eps=1e-3), lambda x, w: x / np.sqrt(np.mean(x**2, -1, keepdims=True) + 1e-3) * w, X, some(4)),
    (ops.RmsNorm((3, 4)), lambda x: x / np.sqrt(np.mean(x**2) + 2.0**-52), X),
    (ops.BatchNorm(), lambda x: standardised(x, 0), some(4, 3)),
    (ops.BatchNorm(), lambda x, w, b: standardised(x, (0, 2)) * w[:, None] + b[:, None], some(4, 3, 5), some(3),
     some(3)),
    (ops.GroupNorm(2), lambda x, w, b: by_groups(x, w, b, 2), some(2, 4, 3), some(4), some(4)),
    (ops.GroupNorm(1), lambda x: standardised(x, (1, 2, 3)), some(2, 3, 2, 2)),
]  # fmt: skip
