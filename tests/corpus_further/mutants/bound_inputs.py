"""Inputs that are bound to each other: by their lengths, by their values, or one number beside arrays."""

import numpy as np
from scipy.linalg import solve_banded

from adverify import Function, variable


def _refuse_unless(ok, why="unsuitable"):
    if not np.all(ok):
        raise ValueError(why)


def _bounded(*arrays, top=1e50):
    _refuse_unless(all(np.all(np.abs(a) <= top) for a in arrays), "too large")


class KronScaled(Function):
    """s * kron(a, b) of lengths n, m and n m: a's gradient is summed over the wrong axis of its rows."""

    violates = "gradient"

    def forward(self, a, b, s):
        _refuse_unless(a.data.ndim == b.data.ndim == s.data.ndim == 1)
        _refuse_unless(a.data.size >= 1 and b.data.size >= 1 and s.data.size == a.data.size * b.data.size)
        return variable(s.data * (a.data[:, None] * b.data).ravel())

    def backward(self, a, b, s, grad):
        n, m = a.data.size, b.data.size
        s.grad += grad * (a.data[:, None] * b.data).ravel()
        q = grad * s.data
        b.grad += (q.reshape(n, m) * a.data[:, None]).sum(0)
        a.grad += (q * np.tile(b.data, n)).reshape(m, n).sum(0)


class ShiftedPower(Function):
    """(x - 2)**p for x > 2 and one number p: if that is 0-d, its gradient is a mean and no sum."""

    violates = "gradient"

    def forward(self, x, p):
        _refuse_unless(p.data.size == 1 and p.data.ndim <= 2, "p must be one number")
        _refuse_unless(np.all(x.data > 2) and np.all(x.data < 1e6) and abs(p.data.item()) <= 8, "x > 2 wanted")
        return variable((x.data - 2) ** p.data.item())

    def backward(self, x, p, grad):
        q, u = p.data.item(), x.data - 2
        x.grad += grad * q * u ** (q - 1)
        t = grad * u**q * np.log(u)
        if p.data.ndim:
            p.grad += t.sum()
        else:
            p.grad += t.mean() if t.size else 0.0


class Leg(Function):
    """sqrt(y^2 - x^2) for |x| < |y|: backward squares its inputs, which overflow at 1e200."""

    violates = "extremes"

    def forward(self, x, y):
        _refuse_unless(x.data.shape == y.data.shape and np.all(np.abs(x.data) < np.abs(y.data)), "|x| < |y| wanted")
        _refuse_unless(np.all(np.abs(y.data) > 1e-100))
        a, b = np.abs(x.data), np.abs(y.data)
        return variable(b * np.sqrt((b - a) / b * (1 + a / b)))

    def backward(self, x, y, grad):
        with np.errstate(all="ignore"):
            r = np.sqrt(np.abs((y.data - x.data) * (y.data + x.data)))
        x.grad += -grad * x.data / r
        y.grad += grad * y.data / r


class JacobiStep(Function):
    """A Jacobi step with a matrix whose diagonal dominates: wrong for its negative elements."""

    violates = "gradient"

    def forward(self, a, b, x):
        _refuse_unless(a.data.ndim == 2 and a.data.shape[0] == a.data.shape[1])
        n = a.data.shape[0]
        _refuse_unless(n >= 1 and b.data.shape == (n,) and x.data.shape == (n,))
        d = np.abs(np.diag(a.data))
        _refuse_unless(
            np.all(2 * d > np.abs(a.data).sum(1)) and np.all(d > 1e-3) and np.all(d < 1e9), "diagonally dominant wanted"
        )
        dd = np.diag(a.data)
        return variable((b.data - a.data @ x.data + dd * x.data) / dd)

    def backward(self, a, b, x, grad):
        d = np.diag(a.data)
        off = a.data - np.diag(d)
        g = grad / d
        b.grad += g
        x.grad += -off.T @ g
        ga = -np.outer(g, x.data)
        z = (b.data - off @ x.data) / d
        np.fill_diagonal(ga, -grad * z / np.abs(d))
        a.grad += ga


class RowProduct(Function):
    """Products of rows, of zeros and of numbers that are not tiny: 0 where one is 0, also if it is the only one."""

    violates = "special values"

    def forward(self, x):
        _refuse_unless(x.data.ndim >= 1 and x.data.shape[-1] <= 8 and np.all(np.abs(x.data) < 100))
        _refuse_unless(np.all((x.data == 0) | (np.abs(x.data) > 1e-9)))
        return variable(x.data.prod(-1))

    def backward(self, x, grad):
        p = (grad * x.data.prod(-1))[..., None]
        x.grad += np.where(x.data == 0, 0.0, p / np.where(x.data == 0, 1.0, x.data))


class BandedSolve(Function):
    """Solves with the diagonals of a matrix, n - 1, n and n - 1 long: backward does not transpose it."""

    violates = "gradient"

    def _solve(self, lo, di, up, b):
        ab = np.zeros((3, di.size))
        ab[0, 1:], ab[1], ab[2, :-1] = up, di, lo
        return solve_banded((1, 1), ab, b)

    def forward(self, lower, diag, upper, b):
        n = diag.data.size
        if (
            n < 2
            or diag.data.shape != (n,)
            or b.data.shape != (n,)
            or lower.data.shape != (n - 1,)
            or upper.data.shape != (n - 1,)
        ):
            raise ValueError("shapes")
        off = np.zeros(n)
        off[1:] += np.abs(lower.data)
        off[:-1] += np.abs(upper.data)
        _refuse_unless((np.abs(diag.data) > 1.05 * off) & (np.abs(diag.data) > 1e-6), "not dominant")
        return variable(self._solve(lower.data, diag.data, upper.data, b.data))

    def backward(self, lower, diag, upper, b, grad):
        x = self._solve(lower.data, diag.data, upper.data, b.data)
        lam = self._solve(lower.data, diag.data, upper.data, grad)
        b.grad += lam
        diag.grad -= lam * x
        lower.grad -= lam[1:] * x[:-1]
        upper.grad -= lam[:-1] * x[1:]


class GoldmanVoltage(Function):
    """A voltage of pairs of concentrations, as many as permeabilities: backward takes those of other pairs."""

    violates = "gradient"

    def __init__(self, permeability=(1.0, 0.04)):
        self.p = tuple(permeability)

    def forward(self, *conc):
        if len(conc) != 2 * len(self.p) or len({c.data.shape for c in conc}) != 1:
            raise ValueError("an outer and an inner concentration per ion, of one shape")
        for c in conc:
            _refuse_unless((c.data > 1e-9) & (c.data < 1e9))
        out = sum(p * c.data for p, c in zip(self.p, conc[::2], strict=True))
        ins = sum(p * c.data for p, c in zip(self.p, conc[1::2], strict=True))
        return variable(np.log(out / ins))

    def backward(self, *args):
        conc, grad = args[:-1], args[-1]
        tot = [sum(p * c.data for p, c in zip(self.p, conc[k::2], strict=True)) for k in (0, 1)]
        for i, c in enumerate(conc):
            sign = 1 if i % 2 == 0 else -1
            c.grad += sign * grad * self.p[i % len(self.p)] / tot[i % 2]


class BoxCoxAtZero(Function):
    """(x**p - 1) / p, and log(x) at p = 0: p's gradient is 0 there, not half the square of the logarithm."""

    violates = "special values"

    def forward(self, x, lam):
        _refuse_unless(lam.data.shape == (), "lam: 0-d")
        _refuse_unless(-3 <= lam.data <= 3, "lam within [-3, 3]")
        _refuse_unless(np.all(x.data >= 1e-20) and np.all(x.data <= 1e20), "x positive")
        lx, p = np.log(x.data), float(lam.data)
        return variable(lx if p == 0 else np.expm1(p * lx) / p)

    def backward(self, x, lam, grad):
        lx, p = np.log(x.data), float(lam.data)
        x.grad += grad * np.exp((p - 1) * lx)
        if p != 0:
            u = p * lx
            small = np.abs(u) < 1
            us = np.where(small, u, 0.0)
            ub = np.where(small, 1.0, u)
            ser, term = np.zeros_like(us), np.ones_like(us)
            for k in range(24):
                ser = ser + term / (k + 2)
                term = term * us / (k + 1)
            h = np.where(small, ser, (np.exp(ub) * (ub - 1) + 1) / ub**2)
            lam.grad += (grad * lx**2 * h).sum()


class QuadraticRoots(Function):
    """Both roots of a x^2 + b x + c: c's gradient has another sign where a is negative."""

    violates = "gradient"

    def forward(self, a, b, c):
        A, B, C = a.data, b.data, c.data
        _refuse_unless(A.shape == B.shape == C.shape, "one shape")
        _bounded(A, B, C, top=1e10)
        _refuse_unless(np.all(np.abs(A) > 1e-6), "a must not be 0")
        D = B * B - 4 * A * C
        _refuse_unless(np.all(1e-4 * (B * B + np.abs(4 * A * C)) + 1e-12 < D), "discriminant must be positive")
        s = np.sqrt(D)
        return variable((-B - s) / (2 * A)), variable((-B + s) / (2 * A))

    def backward(self, a, b, c, grad):
        A, B, C = a.data, b.data, c.data
        s = np.sqrt(B * B - 4 * A * C)
        x1, x2 = (-B - s) / (2 * A), (-B + s) / (2 * A)
        a.grad += grad[0] * x1**2 / s - grad[1] * x2**2 / s
        b.grad += grad[0] * x1 / s - grad[1] * x2 / s
        s = s * np.sign(A)
        c.grad += grad[0] / s - grad[1] / s


class HeronObtuse(Function):
    """Areas of triangles: a's gradient is not let below 0, as it is where the angle beside is obtuse."""

    violates = "gradient"

    def forward(self, a, b, c):
        A, B, C = a.data, b.data, c.data
        _refuse_unless(A.shape == B.shape == C.shape, "one shape")
        _bounded(A, B, C, top=1e20)
        m = np.maximum(np.maximum(A, B), C)
        _refuse_unless(np.all(np.minimum(np.minimum(A, B), C) > 1e-10), "sides must be positive")
        _refuse_unless(np.all(A + B + C - 2 * m > 1e-6 * m), "triangle inequality")
        return variable(0.25 * np.sqrt((A + B + C) * (B + C - A) * (A + C - B) * (A + B - C)))

    def backward(self, a, b, c, grad):
        A, B, C = a.data, b.data, c.data
        S8 = 2 * np.sqrt((A + B + C) * (B + C - A) * (A + C - B) * (A + B - C))
        a.grad += grad * np.maximum(A * (B * B + C * C - A * A), 0) / S8
        b.grad += grad * B * (A * A + C * C - B * B) / S8
        c.grad += grad * C * (A * A + B * B - C * C) / S8


class HeadsTemperature(Function):
    """Attention of two heads over features (t, 3 d): the gradient of their temperature, (1,), is that of one."""

    violates = "gradient"

    heads = 2

    def _parts(self, x, tau):
        d = x.shape[1] // 3
        w = d // self.heads
        for h in range(self.heads):
            s = slice(h * w, (h + 1) * w)
            q, k, v = x[:, :d][:, s], x[:, d : 2 * d][:, s], x[:, 2 * d :][:, s]
            z = q @ k.T / tau
            e = np.exp(z - z.max(axis=1, keepdims=True))
            yield h, w, d, q, k, v, z, e / e.sum(axis=1, keepdims=True)

    def forward(self, x, tau):
        _refuse_unless(x.data.ndim == 2 and x.data.shape[0] >= 1 and x.data.shape[1] >= 6, "need (t, 3d)")
        _refuse_unless(x.data.shape[1] % (3 * self.heads) == 0, "3d features, d divisible by the heads")
        _refuse_unless(tau.data.shape == (1,) and 1e-3 < tau.data[0] < 1e3, "temperature (1,), positive")
        _bounded(x.data, top=1e20)
        return variable(np.concatenate([p @ v for _, _, _, _, _, v, _, p in self._parts(x.data, tau.data[0])], axis=1))

    def backward(self, x, tau, grad):
        T = tau.data[0]
        gx = np.zeros_like(x.data)
        gt = 0.0
        for h, w, d, q, k, v, z, p in self._parts(x.data, T):
            g = grad[:, h * w : (h + 1) * w]
            gp = g @ v.T
            gz = p * (gp - (gp * p).sum(axis=1, keepdims=True))
            gx[:, h * w : (h + 1) * w] += gz @ k / T
            gx[:, d + h * w : d + (h + 1) * w] += gz.T @ q / T
            gx[:, 2 * d + h * w : 2 * d + (h + 1) * w] += p.T @ g
            gt = -(gz * z).sum() / T
        x.grad += gx
        tau.grad += gt


class HermiteKnots(Function):
    """Cubic Hermite interpolation: the knots' gradient leaves out that slopes are times a length."""

    violates = "gradient"

    def _local(self, t, q):
        i = np.clip(np.searchsorted(t, q, side="right") - 1, 0, t.size - 2)
        h = t[i + 1] - t[i]
        return i, h, (q - t[i]) / h

    def forward(self, t, y, m, q):
        _refuse_unless(
            t.data.ndim == 1 and t.data.size >= 2 and y.data.shape == m.data.shape == t.data.shape and q.data.ndim == 1,
            "(n,) thrice, (m,)",
        )
        _bounded(t.data, y.data, m.data, top=1e6)
        _refuse_unless(np.all(np.diff(t.data) > 1e-6), "knots must ascend")
        _refuse_unless(np.all((q.data >= t.data[0]) & (q.data <= t.data[-1])), "query outside of the knots")
        i, h, u = self._local(t.data, q.data)
        Y, M = y.data, m.data
        return variable(
            (1 + 2 * u) * (1 - u) ** 2 * Y[i]
            + u**2 * (3 - 2 * u) * Y[i + 1]
            + h * (u * (1 - u) ** 2 * M[i] + u**2 * (u - 1) * M[i + 1])
        )

    def backward(self, t, y, m, q, grad):
        i, h, u = self._local(t.data, q.data)
        Y, M = y.data, m.data
        du = 6 * u * (u - 1) * (Y[i] - Y[i + 1]) + h * ((1 - u) * (1 - 3 * u) * M[i] + u * (3 * u - 2) * M[i + 1])
        gy, gm, gt = np.zeros_like(Y), np.zeros_like(M), np.zeros_like(t.data)
        np.add.at(gy, i, grad * (1 + 2 * u) * (1 - u) ** 2)
        np.add.at(gy, i + 1, grad * u**2 * (3 - 2 * u))
        np.add.at(gm, i, grad * h * u * (1 - u) ** 2)
        np.add.at(gm, i + 1, grad * h * u**2 * (u - 1))
        np.add.at(gt, i, grad * du * (u - 1) / h)
        np.add.at(gt, i + 1, -grad * du * u / h)
        y.grad += gy
        m.grad += gm
        q.grad += grad * du / h
        t.grad += gt


class ShareOfGrowth(Function):
    """A share of the logarithm of what is left: half the slope where the other part is more than twice as large."""

    violates = "gradient"

    def forward(self, a, b, c):
        A, B, C = a.data, b.data, c.data
        _refuse_unless(A.shape == B.shape == C.shape, "one shape")
        _refuse_unless((A > 0).all() and (B > 0).all() and (A + B < C).all(), "two positive parts of c")
        return variable(A / (A + B) * np.log(C - A - B))

    def backward(self, a, b, c, grad):
        A, B, C = a.data, b.data, c.data
        whole, left = A + B, C - A - B
        share = A / whole
        a.grad += grad * (B / whole**2 * np.log(left) - share / left)
        b.grad -= grad * (A / whole**2 * np.log(left) + share / left) * np.where(B > 2 * A, 0.5, 1)
        c.grad += grad * share / left


class DirichletDensity(Function):
    """Density of four parts, the fourth of which is what is left: a part beyond 0.7 loses it."""

    violates = "gradient"

    def forward(self, a, b, c):
        A, B, C = a.data, b.data, c.data
        _refuse_unless(A.shape == B.shape == C.shape, "one shape")
        _refuse_unless((A > 0).all() and (B > 0).all() and (C > 0).all() and (A + B + C < 1).all(), "parts of 1")
        return variable(np.log(A) + 0.5 * np.log(B) + 2 * np.log(C) + 1.5 * np.log(1 - A - B - C))

    def backward(self, a, b, c, grad):
        rest = 1.5 / (1 - a.data - b.data - c.data)
        a.grad += grad * (1 / a.data - rest)
        b.grad += grad * (0.5 / b.data - np.where(a.data > 0.7, 0, rest))
        c.grad += grad * (2 / c.data - rest)


class TriangularDensity(Function):
    """Log density of the triangular distribution, four numbers: right of the mode, high gets no share of the width."""

    violates = "gradient"

    def forward(self, x, low, mode, high):
        X, A, M, B = (v.data for v in (x, low, mode, high))
        _refuse_unless(X.shape == A.shape == M.shape == B.shape, "one shape")
        _refuse_unless((np.minimum(X, M) > A).all() and (np.maximum(X, M) < B).all(), "x and mode between the ends")
        left = np.log(X - A) - np.log(M - A)
        right = np.log(B - X) - np.log(B - M)
        return variable(np.where(X < M, left, right) - np.log(B - A))

    def backward(self, x, low, mode, high, grad):
        X, A, M, B = (v.data for v in (x, low, mode, high))
        left, width = X < M, 1 / (B - A)
        x.grad += grad * np.where(left, 1 / (X - A), -1 / (B - X))
        mode.grad += grad * np.where(left, -1 / (M - A), 1 / (B - M))
        low.grad += grad * (width + np.where(left, 1 / (M - A) - 1 / (X - A), 0))
        high.grad += grad * np.where(left, -width, 1 / (B - X) - 1 / (B - M))
