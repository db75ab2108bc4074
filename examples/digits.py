"""Train a small convolutional network to read scikit-learn's handwritten digits.

Run ``python examples/digits.py``; it takes a few seconds and ends at about 98 % of held-out digits read right.
"""

import math
import time

import numpy as np

from adverify import ops, tensor

BATCH = 64


def load():
    """Give training and held-out images (n, 1, 8, 8) with their labels."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise SystemExit(
            "this example reads the digits that come with scikit-learn: pip install scikit-learn"
        ) from error
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    images, labels = digits.images[order, None] / 16 - 0.5, digits.target[order]
    return (images[360:], labels[360:]), (images[:360], labels[:360])


def initial(rng):
    """Give the network's parameters, drawn so that signals keep their size (He et al., 2015)."""
    shapes = {"kernels": (12, 1, 3, 3), "offsets": (12,), "hidden": (48, 12 * 3 * 3), "hidden_bias": (48,),
              "output": (10, 48), "output_bias": (10,)}  # fmt: skip
    scale = {name: math.sqrt(2 / math.prod(s[1:])) if len(s) > 1 else 0.0 for name, s in shapes.items()}
    return {name: tensor(scale[name] * rng.normal(size=s)) for name, s in shapes.items()}


def logits(images, p):
    """Give ten numbers for each image, the largest for the digit that it is read as."""
    x = ops.relu(ops.conv2d(images, p["kernels"], p["offsets"]))
    x = ops.reshape(ops.max_pool2d(x, kernel_size=2), shape=(len(images), -1))
    x = ops.relu(ops.linear(x, p["hidden"], p["hidden_bias"]))
    return ops.linear(x, p["output"], p["output_bias"])


def accuracy(images, labels, p):
    """Give the share of images that are read right."""
    return float((logits(images, p).data.argmax(axis=1) == labels).mean())


class Adam:
    """Kingma and Ba, "Adam: a method for stochastic optimization", 2015."""

    def __init__(self, parameters, rate=3e-3):
        self.parameters, self.rate, self.steps = list(parameters), rate, 0
        self.mean = [np.zeros_like(v.data) for v in self.parameters]
        self.square = [np.zeros_like(v.data) for v in self.parameters]

    def step(self):
        self.steps += 1
        for v, m, s in zip(self.parameters, self.mean, self.square, strict=True):
            m += 0.1 * (v.grad - m)
            s += 0.001 * (v.grad**2 - s)
            corrected = np.sqrt(s / (1 - 0.999**self.steps)) + 1e-8
            v.data -= self.rate * m / (1 - 0.9**self.steps) / corrected
            v.grad = None


def main(steps=400):
    """Train for so many batches; give the held-out accuracy before and after."""
    rng = np.random.default_rng(1)
    (images, labels), held_out = load()
    p = initial(rng)
    optimiser, before, start = Adam(p.values()), accuracy(*held_out, p), time.perf_counter()
    for step in range(1, steps + 1):
        batch = rng.choice(len(labels), BATCH, replace=False)
        loss = ops.cross_entropy(logits(images[batch], p), target=labels[batch])
        loss.backward()
        optimiser.step()
        if step % 50 == 0:
            seconds = time.perf_counter() - start
            print(f"{step:4} steps, {seconds:4.1f} s: loss {loss.data:.3f}, accuracy {accuracy(*held_out, p):.3f}")
    return before, accuracy(*held_out, p)


if __name__ == "__main__":
    main()
