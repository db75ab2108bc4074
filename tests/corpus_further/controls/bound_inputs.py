"""Inputs that are bound to each other, and a matrix that nothing outside shows to be nearly singular."""

import numpy as np
from scipy.linalg import solve_banded

from adverify import Function, variable


def _refuse_unless(ok, why="unsuitable"):
    if not np.all(ok):
        raise ValueError(why)


def _bounded(*arrays, top=1e50):
    _refuse_unless(all(np.all(np.abs(a) <= top) for a in arrays), "too large")


class ExcessPower(Function):
    """(x - 100) ** p for 100 < x < 1e6 and p of exactly one element, |p| <= 5."""

    def forward(self, x, p):
        _refuse_unless(p.data.size == 1 and abs(p.data.reshape(-1)[0]) <= 5, "p must be one number")
        _refuse_unless(np.all(x.data > 100) and np.all(x.data < 1e6), "x > 100 wanted")
        return variable((x.data - 100) ** p.data.reshape(()))

    def backward(self, x, p, grad):
        q, u = p.data.reshape(()), x.data - 100
        x.grad += grad * q * u ** (q - 1)
        p.grad += (grad * u**q * np.log(u)).sum()


class SweepStep(Function):
    """Gauss-Seidel sweep: solves (lower triangle of A) z = b - (strict upper one) x, the diagonal of A dominating."""

    def forward(self, a, b, x):
        _refuse_unless(a.data.ndim == 2 and a.data.shape[0] == a.data.shape[1] >= 1)
        _refuse_unless(b.data.shape == x.data.shape == (a.data.shape[0],))
        d = np.abs(np.diag(a.data))
        _refuse_unless(
            np.all(d > 0.01) and np.all(np.abs(a.data) < 1e4) and np.all(2 * d > np.abs(a.data).sum(1)),
            "diagonally dominant wanted",
        )
        _refuse_unless(np.all(np.abs(b.data) < 1e100) and np.all(np.abs(x.data) < 1e100))
        return variable(self._z(a.data, b.data, x.data))

    @staticmethod
    def _z(a, b, x):
        return np.linalg.solve(np.tril(a), b - np.triu(a, 1) @ x)

    def backward(self, a, b, x, grad):
        z = self._z(a.data, b.data, x.data)
        u = np.linalg.solve(np.tril(a.data).T, grad)
        b.grad += u
        x.grad += -np.triu(a.data, 1).T @ u
        a.grad += -np.tril(np.outer(u, z)) - np.triu(np.outer(u, x.data), 1)


class TridiagonalSolve(Function):
    """x of A x = b with sub-, main and superdiagonal (n-1, n, n-1); b (n,) or (n, k); diagonally dominant rows."""

    def _solve(self, lo, di, up, b):
        n = di.size
        if n == 0 or b.size == 0:
            return np.zeros(b.shape)
        if n == 1:
            return b / di[0]
        ab = np.zeros((3, n))
        ab[0, 1:], ab[1], ab[2, :-1] = up, di, lo
        return solve_banded((1, 1), ab, b)

    def forward(self, lower, diag, upper, b):
        lo, di, up = lower.data, diag.data, upper.data
        n = di.size
        if di.ndim != 1 or n == 0 or lo.shape != (n - 1,) or up.shape != (n - 1,):
            raise ValueError("diagonals do not fit")
        if b.data.ndim not in (1, 2) or b.data.shape[0] != n:
            raise ValueError("right side does not fit")
        _bounded(lo, di, up, b.data)
        off = np.zeros(n)
        off[1:] += np.abs(lo)
        off[:-1] += np.abs(up)
        _refuse_unless((np.abs(di) > 1.01 * off) & (np.abs(di) > 1e-50), "not diagonally dominant")
        return variable(self._solve(lo, di, up, b.data))

    def backward(self, lower, diag, upper, b, grad):
        lo, di, up = lower.data, diag.data, upper.data
        x = self._solve(lo, di, up, b.data).reshape(di.size, -1)
        lam = self._solve(up, di, lo, np.asarray(grad))
        b.grad += lam
        lam = lam.reshape(di.size, -1)
        diag.grad -= (lam * x).sum(1)
        lower.grad -= (lam[1:] * x[:-1]).sum(1)
        upper.grad -= (lam[:-1] * x[1:]).sum(1)


class HeronKahan(Function):
    """Area of triangles from three sides that satisfy the triangle inequality, in Kahan's form, scaled."""

    def _unit_area(self, a, b, c):
        z, y, x = np.sort(np.stack([a, b, c]), axis=0)
        return 0.25 * np.sqrt((x + (y + z)) * (z - (x - y)) * (z + (x - y)) * (x + (y - z)))

    def _scaled(self, a, b, c):
        m = np.maximum(np.maximum(a, b), c)
        return m, a / m, b / m, c / m

    def forward(self, a, b, c):
        A, B, C = a.data, b.data, c.data
        _refuse_unless(A.shape == B.shape == C.shape, "one shape")
        _refuse_unless(np.all(A > 0) and np.all(B > 0) and np.all(C > 0), "sides must be positive")
        _bounded(A, B, C, top=1e150)
        m, p, q, r = self._scaled(A, B, C)
        _refuse_unless(np.all(p + q + r - 2 > 1e-4), "triangle inequality")
        return variable(np.asarray(m * (m * self._unit_area(p, q, r))))

    def backward(self, a, b, c, grad):
        m, p, q, r = self._scaled(a.data, b.data, c.data)
        f = grad * (m / (8 * self._unit_area(p, q, r)))
        a.grad += f * (p * (q * q + r * r - p * p))
        b.grad += f * (q * (p * p + r * r - q * q))
        c.grad += f * (r * (p * p + q * q - r * r))


class QuadraticRootsStable(Function):
    """Roots (-b -+ s)/(2a) of one shape, a != 0, discriminant positive, without cancellation; two outputs."""

    def _roots(self, A, B, C):
        s = np.sqrt(B * B - 4 * A * C)
        q = -(B + np.where(B >= 0, s, -s)) / 2
        far, near = q / A, C / q
        return s, np.where(B >= 0, far, near), np.where(B >= 0, near, far)

    def forward(self, a, b, c):
        A, B, C = a.data, b.data, c.data
        _refuse_unless(A.shape == B.shape == C.shape, "one shape")
        _bounded(A, B, C)
        _refuse_unless(np.all(np.abs(A) > 1e-50), "a must not be 0")
        D = B * B - 4 * A * C
        _refuse_unless(
            np.all(1e-3 * (B * B + 4 * np.abs(A * C)) < D) and np.all(D > 1e-100), "discriminant must be positive"
        )
        _, lo, hi = self._roots(A, B, C)
        _refuse_unless(np.isfinite(lo))
        return variable(lo), variable(hi)

    def backward(self, a, b, c, grad):
        s, lo, hi = self._roots(a.data, b.data, c.data)
        g, h = grad[0] / s, grad[1] / s
        a.grad += g * lo * lo - h * hi * hi
        b.grad += g * lo - h * hi
        c.grad += g - h


class PackedHeadsAttention(Function):
    """Causal self-attention of packed features (t, 3*d), d even, two heads, temperature of exactly shape (1,)."""

    heads = 2

    def _parts(self, x, tau):
        d = x.shape[1] // 3
        w = d // self.heads
        keep = np.tril(np.ones((x.shape[0], x.shape[0]), dtype=bool))
        for h in range(self.heads):
            q = x[:, h * w : (h + 1) * w]
            k = x[:, d + h * w : d + (h + 1) * w]
            v = x[:, 2 * d + h * w : 2 * d + (h + 1) * w]
            z = q @ k.T / tau
            zm = np.where(keep, z, -np.inf)
            e = np.exp(zm - zm.max(axis=1, keepdims=True))
            yield h, w, d, q, k, v, z, e / e.sum(axis=1, keepdims=True)

    def forward(self, x, tau):
        _refuse_unless(x.data.ndim == 2 and x.data.shape[0] >= 1 and x.data.shape[1] >= 3 * self.heads, "need (t, 3d)")
        _refuse_unless(x.data.shape[1] % (3 * self.heads) == 0, "3d features, d divisible by the heads")
        _refuse_unless(tau.data.shape == (1,) and 1e-3 < tau.data[0] < 1e3, "temperature (1,), positive")
        _bounded(x.data, top=1e20)
        return variable(np.concatenate([p @ v for _, _, _, _, _, v, _, p in self._parts(x.data, tau.data[0])], axis=1))

    def backward(self, x, tau, grad):
        T = tau.data[0]
        gx, gt = np.zeros_like(x.data), 0.0
        for h, w, d, q, k, v, z, p in self._parts(x.data, T):
            g = grad[:, h * w : (h + 1) * w]
            gp = g @ v.T
            gz = p * (gp - (gp * p).sum(axis=1, keepdims=True))
            gx[:, h * w : (h + 1) * w] += gz @ k / T
            gx[:, d + h * w : d + (h + 1) * w] += gz.T @ q / T
            gx[:, 2 * d + h * w : 2 * d + (h + 1) * w] += p.T @ g
            gt -= (gz * z).sum() / T
        x.grad += gx
        tau.grad += gt


class ClipEma5d(Function):
    """Exponential moving average over time of (B, T, H, W, C), the rate of exactly shape (1,), in [0, 1]."""

    def _run(self, x, a):
        y = np.array(x)
        for t in range(1, y.shape[1]):
            y[:, t] = a * x[:, t] + (1 - a) * y[:, t - 1]
        return y

    def forward(self, x, a):
        _refuse_unless(x.data.ndim == 5 and x.data.shape[1] >= 1, "5-d only")
        _refuse_unless(a.data.shape == (1,) and 0 <= a.data[0] <= 1, "rate: (1,), within [0, 1]")
        _bounded(x.data, top=1e150)
        return variable(self._run(x.data, a.data[0]))

    def backward(self, x, a, grad):
        r = a.data[0]
        y = self._run(x.data, r)
        back = np.array(grad)
        for t in range(back.shape[1] - 2, -1, -1):
            back[:, t] += (1 - r) * back[:, t + 1]
        a.grad += (back[:, 1:] * (x.data[:, 1:] - y[:, :-1])).sum()
        gx = r * back
        gx[:, 0] = back[:, 0]
        x.grad += gx


class HermiteAllFour(Function):
    """Cubic Hermite interpolation: ascending knots (n,), values, slopes, and queries (m,) between them."""

    def _local(self, t, q):
        i = np.clip(np.searchsorted(t, q, side="right") - 1, 0, t.size - 2)
        h = t[i + 1] - t[i]
        return i, h, (q - t[i]) / h

    def forward(self, t, y, m, q):
        T = t.data
        _refuse_unless(
            T.ndim == 1 and T.size >= 2 and y.data.shape == m.data.shape == T.shape and q.data.ndim == 1,
            "(n,) thrice, (m,)",
        )
        _bounded(T, y.data, m.data, top=1e6)
        _refuse_unless(np.all(np.diff(T) > 1e-3), "knots must ascend")
        _refuse_unless(np.all((q.data >= T[0]) & (q.data <= T[-1])), "query outside of the knots")
        i, h, u = self._local(T, q.data)
        Y, M = y.data, m.data
        return variable(
            (1 + 2 * u) * (1 - u) ** 2 * Y[i]
            + u**2 * (3 - 2 * u) * Y[i + 1]
            + h * (u * (1 - u) ** 2 * M[i] + u**2 * (u - 1) * M[i + 1])
        )

    def backward(self, t, y, m, q, grad):
        i, h, u = self._local(t.data, q.data)
        Y, M = y.data, m.data
        bend = u * (1 - u) ** 2 * M[i] + u**2 * (u - 1) * M[i + 1]
        du = 6 * u * (u - 1) * (Y[i] - Y[i + 1]) + h * ((1 - u) * (1 - 3 * u) * M[i] + u * (3 * u - 2) * M[i + 1])
        gy, gm, gt = np.zeros_like(Y), np.zeros_like(M), np.zeros_like(t.data)
        np.add.at(gy, i, grad * (1 + 2 * u) * (1 - u) ** 2)
        np.add.at(gy, i + 1, grad * u**2 * (3 - 2 * u))
        np.add.at(gm, i, grad * h * u * (1 - u) ** 2)
        np.add.at(gm, i + 1, grad * h * u**2 * (u - 1))
        np.add.at(gt, i, grad * (du * (u - 1) / h - bend))
        np.add.at(gt, i + 1, grad * (bend - du * u / h))
        y.grad += gy
        m.grad += gm
        q.grad += grad * du / h
        t.grad += gt


class VandermondeCoefs(Function):
    """Coefficients of the polynomial through values at 0, 1, 2, ..."""

    def forward(self, y):
        if y.data.ndim != 1:
            raise ValueError("vector")
        return variable(np.linalg.solve(np.vander(np.arange(float(y.data.size))), y.data))

    def backward(self, y, grad):
        y.grad += np.linalg.solve(np.vander(np.arange(float(y.data.size))).T, grad)


class RoomToGrow(Function):
    """A share of the logarithm of what is left."""

    def forward(self, a, b, c):
        A, B, C = a.data, b.data, c.data
        _refuse_unless(A.shape == B.shape == C.shape, "one shape")
        _refuse_unless((A > 0).all() and (B > 0).all() and (A + B < C).all(), "two positive parts of c")
        return variable(A / (A + B) * np.log(C - A - B))

    def backward(self, a, b, c, grad):
        A, B, C = a.data, b.data, c.data
        whole, left = A + B, C - A - B
        a.grad += grad * (B / whole**2 * np.log(left) - A / whole / left)
        b.grad -= grad * (A / whole**2 * np.log(left) + A / whole / left)
        c.grad += grad * A / whole / left


class PartsOfOne(Function):
    """Log density of four parts, the fourth of which is what is left."""

    def forward(self, a, b, c):
        A, B, C = a.data, b.data, c.data
        _refuse_unless(A.shape == B.shape == C.shape, "one shape")
        _refuse_unless((A > 0).all() and (B > 0).all() and (C > 0).all() and (A + B + C < 1).all(), "parts of 1")
        return variable(np.log(A) + 0.5 * np.log(B) + 2 * np.log(C) + 1.5 * np.log(1 - A - B - C))

    def backward(self, a, b, c, grad):
        rest = 1.5 / (1 - a.data - b.data - c.data)
        for part, weight in (a, 1), (b, 0.5), (c, 2):
            part.grad += grad * (weight / part.data - rest)


class TriangularLogDensity(Function):
    """Log density of the triangular distribution, four numbers; a kink at the mode."""

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
        high.grad += grad * (np.where(left, 0, 1 / (B - X) - 1 / (B - M)) - width)
