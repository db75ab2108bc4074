"""``python -m benchmarks.verdicts``: what a verdict costs and how fine it is, beside other gradient checkers.

A case is one input and one cotangent, with the gradient of every element judged and given an error bar. Peers ask
less or more of an input: ``torch.autograd.gradcheck`` compares a whole Jacobian in slow mode and one number in fast
mode, the ``check_grads`` of autograd and of jax one direction; none gives an error bar. All take turns in one process
on one thread; the least time of each is kept. Peers that are not installed are left out: ``pip install --group bench``.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import hypothesis
import numpy as np
from scipy.differentiate import derivative

from adverify import Function, Variable, VerificationError, check_case, check_function, ops, variable
from adverify.case import Case
from adverify.discovery import functions_in
from adverify.inference import infer
from adverify.properties import Property, all_properties
from adverify.sampling import Sampling
from adverify.subject import Subject, subject_of
from benchmarks.turns import least, on_one_thread

Array = np.ndarray
Shapes = tuple[tuple[int, ...], ...]
Run = Callable[[], Any]
TOGETHER = 64
"""Cases judged in one call, for the amortised cost."""


class Question(NamedTuple):
    """An op at some shapes, as every checker takes it."""

    name: str
    op: type[Function]
    shapes: Shapes
    numpy: Callable[..., Any]
    torch: str


def _layer_norm(x: Any) -> Any:
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / ((centred**2).mean(axis=-1, keepdims=True) + 1e-5) ** 0.5


QUESTIONS = (
    Question("multiply (3, 4)", ops.Multiply, ((3, 4), (3, 4)), lambda x, y: x * y, "mul"),
    Question("multiply (10, 10)", ops.Multiply, ((10, 10), (10, 10)), lambda x, y: x * y, "mul"),
    Question("matmul (3, 4) (4, 2)", ops.Matmul, ((3, 4), (4, 2)), lambda x, y: x @ y, "matmul"),
    Question("layer norm (4, 8)", ops.LayerNorm, ((4, 8),), _layer_norm, "layer_norm"),
)


def values(shapes: Shapes, seed: int = 0) -> list[Array]:
    """Draw inputs."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=s) for s in shapes]


def gradient() -> Property:
    """The property that judges a gradient at ordinary values."""
    return next(p for p in all_properties() if p.name == "gradient")


def suited(op: type[Function], arity: int) -> tuple[Subject, Sampling]:
    """Find what suits an op, once: what `check_function` does before it draws."""
    subject = subject_of(op, {})
    return subject, infer(subject, arity, None, None, True)[0]


def judging(subject: Subject, sampling: Sampling, shapes: Shapes, count: int) -> Run:
    """Give a function that judges so many new cases in one call."""
    property_, inputs = gradient(), [tuple(values(shapes, seed)) for seed in range(count)]

    def run() -> None:
        cases = [Case(subject, arrays, seed + 1, sampling) for seed, arrays in enumerate(inputs)]
        with np.errstate(all="ignore"):
            verdicts = [verdict.status.value for _, verdict in property_.judge(cases)]
        if verdicts != ["holds"] * count:
            raise AssertionError(f"{subject.name} at {shapes}: {verdicts}")

    return run


def peers_of(q: Question) -> Iterator[tuple[str, Run]]:
    """Give what the other checkers do about a question."""
    arrays = values(q.shapes)
    if torch := installed("torch"):
        torch.set_num_threads(1)
        tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
        f = {"mul": torch.mul, "matmul": torch.matmul,
             "layer_norm": lambda x: torch.nn.functional.layer_norm(x, x.shape[-1:])}[q.torch]  # fmt: skip
        yield "torch gradcheck, slow mode", lambda: torch.autograd.gradcheck(f, tensors)
        yield "torch gradcheck, fast mode", lambda: torch.autograd.gradcheck(f, tensors, fast_mode=True)
    if installed("autograd"):
        check_grads = import_module("autograd.test_util").check_grads
        yield "autograd check_grads", lambda: check_grads(q.numpy, modes=["rev"], order=1)(*arrays)
    if jax := installed("jax"):
        jax.config.update("jax_enable_x64", True)
        jnp, jax_checks = import_module("jax.numpy"), import_module("jax.test_util").check_grads
        g = {"mul": jnp.multiply, "matmul": jnp.matmul, "layer_norm": _layer_norm}[q.torch]
        inputs = tuple(jnp.asarray(a) for a in arrays)
        yield "jax check_grads", lambda: jax_checks(g, inputs, order=1, modes=["rev"])
    if numdifftools := installed("numdifftools"):
        x, ends = np.concatenate([a.ravel() for a in arrays]), np.cumsum([a.size for a in arrays])

        def total(v: Array) -> float:
            parts = np.split(v, ends[:-1])
            return float(np.sum(q.numpy(*(p.reshape(s) for p, s in zip(parts, q.shapes, strict=True)))))

        if x.size < 100:  # it takes a second beyond
            yield "numdifftools Gradient", lambda: numdifftools.Gradient(total)(x)


def installed(name: str) -> Any:
    """Import a peer; None if it is not there."""
    try:
        return import_module(name)
    except ImportError:
        return None


def print_costs(rounds: int) -> None:
    """Print microseconds per check, ours per case."""
    print("\nMicroseconds per case (ours) or per call (others); times as long as a case of ours, amortised")
    for q in QUESTIONS:
        pair = suited(q.op, len(q.shapes))
        runs = {f"adverify, {TOGETHER} cases in a call": judging(*pair, q.shapes, TOGETHER),
                "adverify, one case in a call": judging(*pair, q.shapes, 1), **dict(peers_of(q))}  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seconds = least(runs, rounds)
        amortised = seconds[f"adverify, {TOGETHER} cases in a call"] = seconds[
            f"adverify, {TOGETHER} cases in a call"
        ] / TOGETHER  # fmt: skip
        print(f"  {q.name}")
        for name, s in seconds.items():
            print(f"    {s * 1e6:10.0f}   {s / amortised:7.2f} x   {name}")
    bare = least({"SciPy": lambda: derivative(np.exp, 1.0)}, rounds)["SciPy"]
    print(f"  one derivative of exp by scipy.differentiate\n    {bare * 1e6:10.0f}")


def print_checks() -> None:
    """Print what whole checks cost: everything about an op, inference, drawing and all other properties included."""
    print("\ncheck_function: everything about an op, of which cases are gradients with error bars")
    for op in (ops.Exp, ops.Multiply, ops.Sum, ops.Matmul, ops.LayerNorm):
        check_function(op, seed=1)
        start = time.process_time()
        report = check_function(op, seed=2)
        spent = time.process_time() - start
        print(f"  {op.__name__:10} {spent:6.2f} s, {report.cases} cases: {1e6 * spent / report.cases:6.0f} us a case")


def print_curves(elements: tuple[int, ...]) -> None:
    """Print how the cost of the gradient property grows with the cases in a call and with the elements of a case."""
    print("\nMicroseconds per case of multiply (3, 4), for so many cases in a call")
    pair = suited(ops.Multiply, 2)
    counts = (1, 4, 16, 64, 256)
    seconds = least({str(n): judging(*pair, QUESTIONS[0].shapes, n) for n in counts}, 3)
    print("  " + "   ".join(f"{n} cases {seconds[str(n)] / n * 1e6:.0f}" for n in counts))
    print("\nOne case of multiply (n,): microseconds, peak memory, calls of forward and points they were asked for")
    spent = []
    for n in elements:
        run = judging(*pair, ((n,), (n,)), 1)
        calls, points = forwards(n)
        tracemalloc.start()
        run()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        spent.append(least({"": run}, 1, burst=2)[""])
        print(f"  {2 * n:9,} elements: {spent[-1] * 1e6:12,.0f} us   {peak / 2**20:8.1f} MiB   "
              f"{calls:4} calls   {points:6} points")  # fmt: skip
    slopes = [np.log(b / a) / np.log(m / n) for (a, b), (n, m) in zip(pairwise(spent), pairwise(elements), strict=True)]
    print("  the cost grows with the number of elements to the power of " + ", ".join(f"{s:.2f}" for s in slopes))


def forwards(n: int) -> tuple[int, int]:
    """Count the calls of forward, and the points they were asked for, of one case of a product of n numbers."""
    counted: list[int] = []

    class Counting(ops.Multiply):
        def forward(self, x: Variable, y: Variable) -> Variable:
            counted.append(max(x.data.size, y.data.size) // n)
            return super().forward(x, y)

    judging(*suited(Counting, 2), ((n,), (n,)), 1)
    run = judging(*suited(Counting, 2), ((n,), (n,)), 1)
    run()  # learns how points may be evaluated together
    counted.clear()
    run()
    return len(counted), sum(counted)


PLANTED = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
TRIES = 10


def print_resolution() -> None:
    """Plant a relative error in one element of a product's gradient; print in how many tries each checker sees it."""
    print(f"\nA relative error in one of 24 elements of a product's gradient: found in so many of {TRIES} tries")
    print("  " + " " * 30 + "".join(f"{e:>9.0e}" for e in PLANTED))
    for name, finds in {"adverify": ours_finds, **dict(peers_find())}.items():
        counts = [sum(finds(e, seed) for seed in range(TRIES)) for e in (0.0, *PLANTED)]
        print(f"  {name:30}" + "".join(f"{c:9}" for c in counts[1:]) + f"   (and accuses the right one {counts[0]} x)")


def _planted(error: float) -> Array:
    factor = np.ones((3, 4))
    factor[1, 2] += error
    return factor


def ours_finds(error: float, seed: int) -> bool:
    """Whether adverify sees an error, at one case."""

    class Planted(Function):
        signature = "(m,n),(m,n)->(m,n)"

        def forward(self, x: Variable, y: Variable) -> Variable:
            return variable(x.data * y.data)

        def backward(self, x: Variable, y: Variable, grad: Any) -> None:
            x.grad += grad * y.data * _planted(error)
            y.grad += grad * x.data

    try:
        check_case(Planted, values(((3, 4), (3, 4)), seed), seed=seed + 1)
    except VerificationError as wrong:
        return bool(wrong.report.failures)
    return False


def peers_find() -> Iterator[tuple[str, Callable[[float, int], bool]]]:
    """Give, for each peer, a function that tells whether it sees an error."""
    if torch := installed("torch"):

        def product_in_torch(error: float) -> Any:
            class Planted(torch.autograd.Function):
                @staticmethod
                def forward(ctx: Any, x: Any, y: Any) -> Any:
                    ctx.save_for_backward(x, y)
                    return x * y

                @staticmethod
                def backward(ctx: Any, grad: Any) -> Any:
                    x, y = ctx.saved_tensors
                    return grad * y * torch.from_numpy(_planted(error)), grad * x

            return Planted.apply

        def torch_finds(error: float, seed: int, fast: bool) -> bool:
            torch.manual_seed(seed)
            tensors = [torch.tensor(a, requires_grad=True) for a in values(((3, 4), (3, 4)), seed)]
            f = product_in_torch(error)
            return not torch.autograd.gradcheck(f, tensors, fast_mode=fast, raise_exception=False)

        yield "torch gradcheck, slow mode", lambda error, seed: torch_finds(error, seed, False)
        yield "torch gradcheck, fast mode", lambda error, seed: torch_finds(error, seed, True)
    if installed("autograd"):
        extend, test_util = import_module("autograd.extend"), import_module("autograd.test_util")

        def autograd_finds(error: float, seed: int) -> bool:
            product = extend.primitive(lambda x, y: x * y)
            extend.defvjp(product, lambda _, x, y: lambda g: g * y * _planted(error), lambda _, x, y: lambda g: g * x)
            np.random.seed(seed)  # noqa: NPY002  # where it draws its direction from
            try:
                test_util.check_grads(product, modes=["rev"], order=1)(*values(((3, 4), (3, 4)), seed))
            except AssertionError:
                return True
            return False

        yield "autograd check_grads", autograd_finds


def seconds_of(name: str) -> float:
    """Check a built-in op in whatever process this is; give the processor time."""
    start = time.process_time()
    check_function(vars(ops)[name], seed=1)
    return time.process_time() - start


def print_cores(many: int = 24) -> None:
    """Print how many checks a second several processes do together, and how long the longest takes."""
    names = [op.__name__ for op in functions_in(ops)]
    names = names[:: len(names) // many][:many]
    print(f"\nChecks of {len(names)} built-in ops, in so many processes")
    for processes in (1, 2, 4):
        with ProcessPoolExecutor(processes) as pool:
            list(pool.map(seconds_of, names[: 2 * processes]))  # imports, and whatever is found out once
            start = time.perf_counter()
            spent = list(pool.map(seconds_of, names))
            wall = time.perf_counter() - start
        print(f"  {processes} processes: {len(names) / wall:5.2f} checks a second by the clock; processor time "
              f"{np.mean(spent):.2f} s a check on average, {max(spent):.2f} s the longest")  # fmt: skip


PARTS = (
    ("finding shapes and domains", "inference.py", "infer"),
    ("search, all of it", "search.py", "_explore"),
    ("  judging, all properties", "search.py", "_ask"),
    ("  gradients, all regimes", "gradient.py", "judge"),
    ("    putting the question", "gradient.py", "question_of"),
    ("    sampling", "oracle.py", "sample"),
    ("    screen", "oracle.py", "screen"),
    ("    cross-examination", "agreement.py", "_cross_examine"),
    ("op.forward", "subject.py", "_call"),
    ("op.backward", "subject.py", "pull_back"),
)
"""Parts of a check: the name printed, and the function that is timed, which includes what it calls."""


def print_profile() -> None:
    """Print where a check spends its time; the profiler makes small functions look larger than they are."""
    print("\nShares of check_function, calls included (search less judging is drawing, by Hypothesis)")
    for op in (ops.Exp, ops.Multiply, ops.Sum, ops.Matmul):
        check_function(op, seed=1)
        profile = cProfile.Profile(time.thread_time)
        profile.runcall(check_function, op, seed=2)
        stats = pstats.Stats(profile)
        found = [(Path(file).parts[-2:], name, row) for (file, _, name), row in vars(stats)["stats"].items()]
        total = next(row[3] for file, name, row in found if name == "check_function")

        def share(file: str, function: str, found: Any = found, total: float = total) -> str:
            at = ("adverify", "properties")
            rows = [row for path, name, row in found if path[0] in at and (path[1], name) == (file, function)]
            return f"{max((row[3] for row in rows), default=0.0) / total:6.1%} {sum(row[0] for row in rows):8}"

        print(f"  {op.__name__}: {total:.2f} s under the profiler")
        for label, file, function in PARTS:
            print(f"    {share(file, function)} calls   {label}")
        for path, name, row in sorted(found, key=lambda entry: -entry[2][3]):
            if path[0] == "properties" and name == "check" and row[3] > 0.005 * total:
                print(f"    {row[3] / total:6.1%} {row[0]:8} calls   property {path[1].removesuffix('.py')}")


def main() -> None:
    """Print everything, or what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verdicts", description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("costs", "checks", "curves", "resolution", "cores", "profile"))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--largest", type=int, default=100_000, help="most numbers in an input of the curve")
    chosen = parser.parse_args()
    on_one_thread(__spec__.name)
    hypothesis.settings.register_profile("benchmark", database=None)
    hypothesis.settings.load_profile("benchmark")
    warnings.simplefilter("ignore")
    elements = tuple(10**k for k in range(1, 8) if 10**k <= chosen.largest)
    for name, show in {
        "costs": lambda: print_costs(chosen.rounds),
        "checks": print_checks,
        "curves": lambda: print_curves(elements),
        "resolution": print_resolution,
        "cores": print_cores,
        "profile": print_profile,
    }.items():
        if chosen.only in (None, name):
            show()


if __name__ == "__main__":
    main()
