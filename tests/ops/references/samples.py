"""Arrays to hold forward against its reference at."""

import numpy as np

RNG = np.random.default_rng(5)

LINE = np.concatenate([np.linspace(-8, 8, 161), [-800, -1e-8, -1e-200, 1e-200, 1e-8, 800, 1e5]])
POSITIVE = np.concatenate([np.geomspace(1e-300, 1e300, 121), np.linspace(0.1, 5, 50)])
UNIT = np.concatenate([np.linspace(-1, 1, 101), [1 - 1e-12, -1 + 1e-12, 1e-200]])
TIES = np.array([[2.0, 1.0, 2.0], [0.0, 0.0, -1.0]])


def some(*shape):
    return RNG.normal(size=shape)


def positive_definite(n, *batch):
    a = some(*batch, n, n)
    return a @ np.swapaxes(a, -1, -2) + n * np.eye(n)


X = some(3, 4)
