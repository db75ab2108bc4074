"""What forward should equal: pooling."""

import numpy as np

from adverify import ops
from tests.ops.references.samples import some


def pooled(x, reduce, size, stride, padding=0, dilation=1, fill=np.nan):
    """Window by window; NaN stands for padding that does not count."""
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)), constant_values=fill)
    reach = [d * (k - 1) + 1 for k, d in zip(size, (dilation, dilation), strict=True)]
    starts = [range(0, n - e + 1, s) for n, e, s in zip(x.shape[2:], reach, stride, strict=True)]
    return np.array([[[[reduce(c[i : i + reach[0] : dilation, j : j + reach[1] : dilation]) for j in starts[1]]
                       for i in starts[0]] for c in image] for image in x])  # fmt: skip


IMAGES = some(2, 3, 5, 6)

OTHERS = [
    (ops.MaxPool2d(2), lambda x: pooled(x, np.max, (2, 2), (2, 2)), IMAGES),
    (ops.MaxPool2d((3, 2), 1, 1), lambda x: pooled(x, np.nanmax, (3, 2), (1, 1), 1), IMAGES),
    (ops.MaxPool2d(2, (2, 1), 1, 2), lambda x: pooled(x, np.nanmax, (2, 2), (2, 1), 1, 2), IMAGES),
    (ops.AvgPool2d((2, 3)), lambda x: pooled(x, np.mean, (2, 3), (2, 3)), IMAGES),
    (ops.AvgPool2d(3, 2, 1), lambda x: pooled(x, np.mean, (3, 3), (2, 2), 1, fill=0), IMAGES),
    (ops.AvgPool2d(2, 1, 1, count_include_pad=False), lambda x: pooled(x, np.nanmean, (2, 2), (1, 1), 1), IMAGES),
]
