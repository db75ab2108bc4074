"""What forward should equal: convolutions."""

import numpy as np
from scipy import signal

from adverify import ops
from tests.ops.references.samples import some

IMAGES, KERNELS = some(2, 3, 6, 5), some(4, 3, 3, 2)


def dilated(w, dilation):
    wide = np.zeros((*w.shape[:2], *(d * (k - 1) + 1 for k, d in zip(w.shape[2:], dilation, strict=True))))
    wide[(..., *(slice(None, None, d) for d in dilation))] = w
    return wide


def correlated(x, w, bias=0.0, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    x, w = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding))), dilated(w, dilation)
    full = [[sum(signal.correlate(c, k, "valid", "direct") for c, k in zip(channels, kernel, strict=True))
             for channels, kernels in zip(np.split(image, groups), np.split(w, groups), strict=True)
             for kernel in kernels] for image in x]  # fmt: skip
    return np.array(full)[(..., *(slice(None, None, s) for s in stride))] + np.reshape(bias, (-1, *[1] * (x.ndim - 2)))


def stamped(x, w, bias=0.0, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Every place of x stamps its kernel."""
    n, c, height, width = x.shape
    kernels = dilated(w, (dilation, dilation))
    kh, kw = kernels.shape[2:]
    o = w.shape[1]
    y = np.zeros((n, o * groups, (height - 1) * stride + kh + output_padding,
                  (width - 1) * stride + kw + output_padding))  # fmt: skip
    for item, channel, i, j in np.ndindex(*x.shape):
        group = channel // (c // groups)
        place = (slice(i * stride, i * stride + kh), slice(j * stride, j * stride + kw))
        y[(item, slice(group * o, (group + 1) * o), *place)] += x[item, channel, i, j] * kernels[channel]
    inside = slice(padding, -padding or None)
    return y[:, :, inside, inside] + np.reshape(bias, (-1, 1, 1))


OTHERS = [
    (ops.Conv2d(), correlated, IMAGES, KERNELS),
    (ops.Conv2d(), lambda x, w: correlated(x[None], w)[0], IMAGES[0], KERNELS),
    (ops.Conv2d(2, 1), lambda x, w, b: correlated(x, w, b, (2, 2), (1, 1)), IMAGES, KERNELS, some(4)),
    (ops.Conv2d((1, 2), (2, 0), (2, 1)), lambda x, w: correlated(x, w, 0, (1, 2), (2, 0), (2, 1)), IMAGES, KERNELS),
    (ops.Conv2d(groups=2), lambda x, w, b: correlated(x, w, b, groups=2), some(2, 4, 3, 3), some(6, 2, 2, 3), some(6)),
    (ops.Conv1d(), lambda x, w, b: correlated(x, w, b, [1], [0], [1]), some(2, 3, 6), some(4, 3, 2), some(4)),
    (ops.Conv1d(2, 1, 2, 3), lambda x, w: correlated(x, w, 0, [2], [1], [2], 3), some(2, 3, 8), some(6, 1, 3)),
    (ops.ConvTranspose2d(), stamped, some(2, 3, 4, 2), some(3, 2, 2, 3), some(2)),
    (ops.ConvTranspose2d(3, 1, 2), lambda x, w: stamped(x, w, 0, 3, 1, 2), some(2, 3, 4, 2), some(3, 2, 2, 3)),
    (ops.ConvTranspose2d(1, 0, 1, 2, 2), lambda x, w, b: stamped(x, w, b, 1, 0, 1, 2, 2), some(1, 4, 2, 3),
     some(4, 3, 2, 2), some(6)),
]  # fmt: skip
