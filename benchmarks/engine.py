"""``python -m benchmarks.engine``: the engine beside NumPy by hand, PyTorch, jax (compiled), autograd and MyGrad.

All contenders compute the same loss and gradients (checked before anything is timed) in one process, on one thread,
taking turns; the least time of each is kept, for what another process takes away only ever adds. Peers that are not
installed are left out: ``pip install --group bench`` brings them.
"""

from __future__ import annotations

import argparse
import gc
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np

from adverify import Function, Variable, ops, tensor, variable
from benchmarks.turns import least, on_one_thread

Array = np.ndarray
Step = Callable[[], Any]


def network(batch: int) -> tuple[Array, Array, list[Array]]:
    """Draw images, labels and the parameters of a 784-256-10 perceptron."""
    rng = np.random.default_rng(0)
    images, labels = rng.normal(size=(batch, 784)), rng.integers(10, size=batch)
    return images, labels, [rng.normal(size=s) / 28 for s in ((784, 256), (256,), (256, 10), (10,))]


def network_by_hand(images: Array, labels: Array, parameters: list[Array]) -> list[Array]:
    """Give the cross-entropy and the gradient of each parameter, as one would write them for this network alone."""
    w1, b1, w2, b2 = parameters
    rows = np.arange(len(labels))
    a = images @ w1
    a += b1
    h = np.maximum(a, 0)
    z = h @ w2
    z += b2
    z -= z.max(axis=1, keepdims=True)
    p = np.exp(z)
    total = p.sum(axis=1, keepdims=True)
    loss = (np.log(total[:, 0]) - z[rows, labels]).mean()
    p /= total
    p[rows, labels] -= 1
    p /= len(labels)
    gh = p @ w2.T
    gh *= a > 0
    return [loss, images.T @ gh, gh.sum(axis=0), h.T @ p, p.sum(axis=0)]


def network_steps(batch: int) -> dict[str, Step]:
    """Give, for each contender, a function that computes the loss and all gradients from scratch."""
    images, labels, parameters = network(batch)
    variables = [tensor(p) for p in parameters]

    def adverify() -> list[Any]:
        w1, b1, w2, b2 = variables
        for v in variables:
            v.grad = None
        loss = ops.cross_entropy(ops.relu(images @ w1 + b1) @ w2 + b2, target=labels)
        loss.backward()
        return [loss.data, *(v.grad for v in variables)]

    steps: dict[str, Step] = {
        "NumPy by hand": lambda: network_by_hand(images, labels, parameters),
        "adverify": adverify,
    }

    def torch_step(torch: Any) -> Step:
        x, t = torch.from_numpy(images), torch.from_numpy(labels)
        leaves = [torch.from_numpy(p.copy()).requires_grad_() for p in parameters]

        def step() -> list[Any]:
            w1, b1, w2, b2 = leaves
            for v in leaves:
                v.grad = None
            loss = torch.nn.functional.cross_entropy(torch.relu(x @ w1 + b1) @ w2 + b2, t)
            loss.backward()
            return [loss.detach().numpy(), *(v.grad.numpy() for v in leaves)]

        return step

    def autograd_step(autograd: Any) -> Step:
        import autograd.numpy as anp
        from autograd.scipy.special import logsumexp

        rows = np.arange(batch)

        def loss(w1: Any, b1: Any, w2: Any, b2: Any) -> Any:
            z = anp.maximum(images @ w1 + b1, 0) @ w2 + b2
            return anp.mean(logsumexp(z, axis=1) - z[rows, labels])

        both = autograd.value_and_grad(loss, argnum=(0, 1, 2, 3))

        def step() -> list[Any]:
            value, gradients = both(*parameters)
            return [value, *gradients]

        return step

    def mygrad_step(mygrad: Any) -> Step:
        from mygrad.nnet import softmax_crossentropy

        leaves = [mygrad.tensor(p) for p in parameters]

        def step() -> list[Any]:
            w1, b1, w2, b2 = leaves
            loss = softmax_crossentropy(mygrad.nnet.relu(images @ w1 + b1) @ w2 + b2, labels)
            loss.backward()
            return [loss.data, *(v.grad for v in leaves)]

        return step

    def jax_step(jax: Any) -> Step:
        jax.config.update("jax_enable_x64", True)
        jnp, rows = jax.numpy, np.arange(batch)

        def loss(parameters: list[Any], x: Any) -> Any:
            w1, b1, w2, b2 = parameters
            z = jnp.maximum(x @ w1 + b1, 0) @ w2 + b2
            return jnp.mean(jax.nn.logsumexp(z, axis=1) - z[rows, labels])

        both, leaves, x = jax.jit(jax.value_and_grad(loss)), [jnp.asarray(p) for p in parameters], jnp.asarray(images)

        def step() -> list[Any]:
            value, gradients = both(leaves, x)
            return [np.asarray(value), *map(np.asarray, gradients)]

        return step

    makers = {"torch": torch_step, "autograd": autograd_step, "mygrad": mygrad_step, "jax": jax_step}
    return steps | with_peers(makers)


class _Times(Function):
    """A product as a user would write it for numbers, without what the library's does at infinities."""

    def forward(self, x: Variable, y: Variable) -> Variable:
        return variable(x.data * y.data)

    def backward(self, x: Variable, y: Variable, grad: Any) -> None:
        x.grad += grad * y.data
        y.grad += grad * x.data


class _Plus(Function):
    def forward(self, x: Variable, y: Variable) -> Variable:
        return variable(x.data + y.data)

    def backward(self, x: Variable, y: Variable, grad: Any) -> None:
        x.grad += grad
        y.grad += grad


def scalars_by_hand(pairs: int, x: Array, c: Array) -> list[Any]:
    """Give y = (... (x * x + c) * x + c ...) and its two derivatives, with the NumPy calls that a tape makes."""
    kept, y = [], x
    for _ in range(pairs):
        kept.append(y)
        y = y * x + c
    g, gx, gc_ = np.float64(1.0), np.zeros(()), np.zeros(())
    for before in reversed(kept):
        gc_ += g
        gx += g * before
        g = g * x
    return [y, gx + g, gc_]


def scalar_steps(pairs: int) -> dict[str, Step]:
    """Give, for each contender, a function that builds a graph of 2 * `pairs` ops on numbers and differentiates it."""
    x0, c0 = np.array(0.9), np.array(0.3)
    x, c = tensor(x0), tensor(c0)
    times, plus = _Times(), _Plus()

    def library() -> list[Any]:
        x.grad = c.grad = None
        y = x
        for _ in range(pairs):
            y = y * x + c
        y.backward()
        return [y.data, x.grad, c.grad]

    def plain() -> list[Any]:
        x.grad = c.grad = None
        y = x
        for _ in range(pairs):
            y = plus(times(y, x), c)
        y.backward()
        return [y.data, x.grad, c.grad]

    def torch_step(torch: Any) -> Step:
        x, c = (torch.tensor(float(v), dtype=torch.float64, requires_grad=True) for v in (x0, c0))

        def step() -> list[Any]:
            x.grad = c.grad = None
            y = x
            for _ in range(pairs):
                y = y * x + c
            y.backward()
            return [y.detach().numpy(), x.grad.numpy(), c.grad.numpy()]

        return step

    def autograd_step(autograd: Any) -> Step:
        def f(x: Any, c: Any) -> Any:
            y = x
            for _ in range(pairs):
                y = y * x + c
            return y

        both = autograd.value_and_grad(f, argnum=(0, 1))

        def step() -> list[Any]:
            value, gradients = both(float(x0), float(c0))
            return [value, *gradients]

        return step

    def mygrad_step(mygrad: Any) -> Step:
        x, c = mygrad.tensor(x0), mygrad.tensor(c0)

        def step() -> list[Any]:
            y = x
            for _ in range(pairs):
                y = y * x + c
            y.backward()
            return [y.data, x.grad, c.grad]

        return step

    mine = {
        "NumPy by hand": lambda: scalars_by_hand(pairs, x0, c0),
        "adverify, operators of the library": library,
        "adverify, two plain Functions": plain,
    }
    return mine | with_peers({"torch": torch_step, "autograd": autograd_step, "mygrad": mygrad_step})


def with_peers(makers: dict[str, Callable[[Any], Step]]) -> dict[str, Step]:
    """Make the steps of those peers that are installed."""
    steps = {}
    for name, make in makers.items():
        try:
            peer = __import__(name)
        except ImportError:
            print(f"  ({name} is not installed)")
            continue
        if name == "torch":
            peer.set_num_threads(1)
        steps[name] = make(peer)
    return steps


def agree(steps: dict[str, Step]) -> int:
    """Refuse to time contenders that do not compute the same; give how many results were compared."""
    compared = 0
    reference, *others = (step() for step in steps.values())
    for name, other in zip(list(steps)[1:], others, strict=True):
        for a, b in zip(reference, other, strict=True):
            compared += 1
            if not np.allclose(a, b, rtol=1e-9, atol=1e-12):
                raise AssertionError(f"{name} computes something else: {b} for {a}")
    return compared


def print_ratios(title: str, steps: dict[str, Step], rounds: int, per: int, unit: str) -> None:
    """Time the contenders in turns; print each beside NumPy by hand."""
    agree(steps)
    print(f"\n{title}")
    seconds = least(steps, rounds)
    by_hand = seconds["NumPy by hand"]
    for name, s in sorted(seconds.items(), key=lambda pair: pair[1]):
        print(f"  {s / per * 1e6:10.2f} us {unit}   {s / by_hand:6.2f} x   {name}")


def print_chain(lengths: tuple[int, ...]) -> None:
    """Print what a chain costs to build, to differentiate and to free, and whether anything is left of it."""
    print("\nA chain of negations: seconds and bytes per node")
    negative = ops.Negative()
    for n in lengths:
        gc.collect()
        gc.disable()  # so that what is freed is freed by counting references
        tracemalloc.start()
        x = tensor(1.0)
        y: Any = x
        for _ in range(n):
            y = negative(y)
        kept, _ = tracemalloc.get_traced_memory()
        y.backward()
        _, peak = tracemalloc.get_traced_memory()
        del y
        left, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        gc.enable()
        times = []
        for _ in range(3):
            start = time.thread_time()
            y = x
            for _ in range(n):
                y = negative(y)
            built = time.thread_time()
            y.backward()
            done = time.thread_time()
            del y
            times.append((time.thread_time() - start, built - start, done - built, time.thread_time() - done))
        total, forward, backward, freed = min(times)
        print(f"  {n:9,} nodes: {total:6.3f} s: forward {forward:.3f}, backward {backward:.3f}, freeing {freed:.3f}; "
              f"{kept / n:.0f} bytes a node, {peak / n:.0f} at the peak; {left:,} left")  # fmt: skip


def peak(step: Step) -> int:
    """How many bytes a step needs on top of what is there, at most, what it returns included."""
    step()
    gc.collect()
    tracemalloc.start()
    result = step()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del result
    return most


def print_memory(batch: int) -> None:
    """Print the peak memory of a training step, of those contenders whose memory Python sees."""
    print(f"\nPeak memory of a step of the network, batch {batch}")
    steps = network_steps(batch)
    for name in ("torch", "jax"):  # they allocate out of tracemalloc's sight
        steps.pop(name, None)
    by_hand = peak(steps["NumPy by hand"])
    for name, step in steps.items():
        print(f"  {peak(step) / 2**20:8.2f} MiB   {peak(step) / by_hand:5.2f} x   {name}")


def main() -> None:
    """Print everything; --quick for a look."""
    on_one_thread(__spec__.name)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds and shorter chains")
    quick = parser.parse_args().quick
    for batch in (32, 128):
        title = f"Network 784-256-10, float64, batch {batch}: forward and backward"
        print_ratios(title, network_steps(batch), 20 if quick else 200, 1, "a step")
    print_ratios("Graph of 1,000 products and sums of numbers: forward and backward", scalar_steps(500),
                 10 if quick else 60, 1000, "an op")  # fmt: skip
    print_chain((1000, 10_000) if quick else (1000, 10_000, 100_000, 1_000_000))
    print_memory(128)


if __name__ == "__main__":
    main()
