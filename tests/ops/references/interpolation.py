"""What forward should equal: resampled images, element by element."""

import numpy as np

from adverify import ops
from tests.ops.references.samples import some


def nearest(x, height, width):
    h, w = x.shape[-2:]
    return x[..., [[i * h // height] for i in range(height)], [j * w // width for j in range(width)]]


def bilinear(x, height, width, align_corners=False, factor=None):
    y = np.empty((*x.shape[:-2], height, width))
    for i, j in np.ndindex(height, width):
        along = []
        for at, new, old in ((i, height, x.shape[-2]), (j, width, x.shape[-1])):
            if align_corners:
                along.append(at * (old - 1) / (new - 1) if new > 1 else 0.0)
            else:
                along.append(max((at + 0.5) * (old / new if factor is None else 1 / factor) - 0.5, 0.0))
        (a, b), (h, w) = along, x.shape[-2:]
        top, left = int(a), int(b)
        bottom, right = min(top + 1, h - 1), min(left + 1, w - 1)
        a, b = a - top, b - left
        y[..., i, j] = ((1 - a) * ((1 - b) * x[..., top, left] + b * x[..., top, right])
                        + a * ((1 - b) * x[..., bottom, left] + b * x[..., bottom, right]))  # fmt: skip
    return y


IMAGES = some(2, 3, 4)

OTHERS = [
    *((ops.Interpolate(size), lambda x, s=size: nearest(x, *s), IMAGES) for size in [(6, 8), (2, 3), (5, 1)]),
    *((ops.Interpolate(size, mode="bilinear", align_corners=a), lambda x, s=size, a=a: bilinear(x, *s, a), IMAGES)
      for size in [(6, 8), (2, 3), (5, 1)] for a in (False, True)),
    (ops.Interpolate(scale_factor=2), lambda x: np.repeat(np.repeat(x, 2, -1), 2, -2), IMAGES),
    (ops.Interpolate(scale_factor=1.5, mode="bilinear"), lambda x: bilinear(x, 4, 6, factor=1.5), IMAGES),
]  # fmt: skip
