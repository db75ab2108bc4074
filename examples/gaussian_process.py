"""Fit the hyperparameters of a Gaussian process to noisy data by maximum likelihood.

The log-likelihood of observations y ~ N(0, K) is -(y' inv(K) y + log det K + n log 2 pi) / 2, with K from its Cholesky
factor (Rasmussen and Williams, "Gaussian processes for machine learning", 2006, algorithm 2.1). Its gradient by the
logarithms of the length scale, the amplitude and the noise is all that SciPy's L-BFGS-B needs.

Run ``python examples/gaussian_process.py``.
"""

import math

import numpy as np
from scipy.optimize import minimize

from adverify import ops, tensor

NOISE = 0.2


def observations(n=60):
    """Give n places on a line, and a wave seen there through noise."""
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(0, 10, n))
    return x, np.sin(x) + 0.3 * np.cos(3 * x) + NOISE * rng.normal(size=n)


def covariance(theta, x, z):
    """The squared exponential kernel between places x and z; theta holds logarithms of length scale and amplitude."""
    distance = (x[:, None] - z) / ops.exp(theta[0])
    return ops.exp(2 * theta[1] - 0.5 * distance * distance)


def negative_log_likelihood(theta, x, y):
    """The function to be made small; theta holds three Variables, the third the logarithm of the noise."""
    factor = ops.cholesky(covariance(theta, x, x) + ops.exp(2 * theta[2]) * np.eye(len(x)))
    white = ops.solve(factor, y[:, None])
    log_determinant = 2 * ops.sum(ops.log(ops.einsum(factor, subscripts="ii->i")))
    return 0.5 * (ops.sum(white * white) + log_determinant + len(x) * math.log(2 * math.pi))


def value_and_gradient(theta, x, y):
    """Give what SciPy asks for: the function at theta, and its gradient."""
    leaves = [tensor(t) for t in theta]
    loss = negative_log_likelihood(leaves, x, y)
    loss.backward()
    return float(loss.data), np.array([float(leaf.grad) for leaf in leaves])


def predict(theta, x, y, at):
    """The mean of the fitted process, given what was observed."""
    noisy = covariance(theta, x, x).data + np.exp(2 * theta[2]) * np.eye(len(x))
    return covariance(theta, at, x).data @ np.linalg.solve(noisy, y)


def main(steps=50):
    """Fit in so many steps; give the log-likelihood before and after, the noise found, and the error of the mean."""
    x, y = observations()
    start = np.zeros(3)
    found = minimize(value_and_gradient, start, (x, y), jac=True, method="L-BFGS-B", options={"maxiter": steps})
    before, after = -value_and_gradient(start, x, y)[0], -float(found.fun)
    at = np.linspace(0.5, 9.5, 200)
    error = np.sqrt(np.mean((predict(found.x, x, y, at) - np.sin(at) - 0.3 * np.cos(3 * at)) ** 2))
    length, amplitude, noise = np.exp(found.x)
    print(f"log-likelihood {before:.2f} before, {after:.2f} after {found.nit} steps")
    print(f"length scale {length:.3f}, amplitude {amplitude:.3f}, noise {noise:.3f} (data made with {NOISE})")
    print(f"root mean square error of the predicted mean {error:.3f}")
    return before, after, noise, error


if __name__ == "__main__":
    main()
