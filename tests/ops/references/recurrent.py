"""What forward should equal: cells of recurrent networks, one item at a time."""

import numpy as np

from adverify import ops
from tests.ops.references.samples import some


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def rnn(x, h, w, u, b=0.0, d=0.0, by=np.tanh):
    return np.array([by(w @ a + u @ s + b + d) for a, s in zip(x, h, strict=True)])


def lstm(x, h, c, w, u, b=0.0, d=0.0):
    states, memories = [], []
    for a, s, m in zip(x, h, c, strict=True):
        i, f, g, o = np.split(w @ a + u @ s + b + d, 4)
        memories.append(sigmoid(f) * m + sigmoid(i) * np.tanh(g))
        states.append(sigmoid(o) * np.tanh(memories[-1]))
    return [np.array(states), np.array(memories)]


def gru(x, h, w, u, b=0.0, d=0.0):
    states = []
    for a, s in zip(x, h, strict=True):
        (ri, zi, ni), (rh, zh, nh) = np.split(w @ a + b, 3), np.split(u @ s + d, 3)
        n = np.tanh(ni + sigmoid(ri + rh) * nh)
        states.append(n + sigmoid(zi + zh) * (s - n))
    return np.array(states)


def weights(gates, i, h):
    return some(gates * h, i), some(gates * h, h), some(gates * h), some(gates * h)


X, H, C = some(2, 3), some(2, 4), some(2, 4)

OTHERS = [
    (ops.RnnCell(), rnn, X, H, *weights(1, 3, 4)),
    (ops.RnnCell("relu"), lambda *a: rnn(*a, by=lambda y: y * (y > 0)), X, H, *weights(1, 3, 4)[:2]),
    (ops.LstmCell(), lstm, X, H, C, *weights(4, 3, 4)),
    (ops.LstmCell(), lambda x, h, c, w, u: [y[0] for y in lstm(x[None], h[None], c[None], w, u)], X[0], H[0], C[0],
     *weights(4, 3, 4)[:2]),
    (ops.GruCell(), gru, X, H, *weights(3, 3, 4)),
    (ops.GruCell(), gru, X, H, *weights(3, 3, 4)[:3]),
]  # fmt: skip
