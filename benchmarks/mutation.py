"""``python -m benchmarks.mutation``: the backward of every built-in op, spoilt in many ways; how many are found.

A mutant is a subclass of an op whose backward runs the op's own on fresh Variables, changes what came out or went in,
and adds it. A mutant that changes nothing, such as a sum whose gradient is rolled, is equivalent to the op: that is
decided apart from the verifier, by comparing both gradients at random inputs.
"""

from __future__ import annotations

import argparse
import copy
import inspect
import itertools
import random
import time
import warnings
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, NamedTuple
from unittest import mock

import hypothesis
import numpy as np

import adverify.ops
import adverify.search
from adverify import Function, Report, Undecided, Variable, VerificationError, check_function, variable
from adverify.discovery import functions_in

Array = np.ndarray
SIZES = (1.0, 1.0, 1.0, 1.0, 30.0, 30.0, 1e-4, 1e160)
"""Factors for the inputs at which a mutant is compared with its op: most mutations show at any."""
COTANGENT_SIZES = (1.0, 1.0, 1.0, 100.0, 1e-8)
OPS = {op.__name__: op for op in functions_in(adverify.ops)}


def _add(x: Variable, g: Array) -> None:
    x.grad += g


@dataclass(frozen=True)
class Mutation:
    """A way to spoil a backward: one of its parts is not what it should be.

    Attributes
    ----------
    gradient : callable
        Of one input's gradient, its values, and the cotangent.
    exchanged : bool
        Whether that input and the next get each other's gradient.
    inputs, cotangent : callable
        Of what the op's own backward is given.
    store : callable
        Adds a gradient to a Variable's.
    after : callable
        Is called with the mutated Variable and the cotangent when all is done.
    """

    gradient: Callable[[Array, Array, Array], Array] = lambda g, x, grad: g
    exchanged: bool = False
    inputs: Callable[[Array], Array] = lambda x: x
    cotangent: Callable[[Array], Array] = lambda grad: grad
    store: Callable[[Variable, Array], Any] = _add
    after: Callable[[Variable, Any], Any] = lambda x, grad: None

    @property
    def always_counts(self) -> bool:
        """Whether it breaks the contract whatever the gradient is."""
        return self.store is not _add or self.after is not Mutation.after


def _assign(x: Variable, g: Array) -> None:
    x.grad = g


def _write_over(x: Variable, g: Array) -> None:
    x.grad[...] = g


def _double_what_is_there(x: Variable, g: Array) -> None:
    x.grad = 2 * x.grad + g


def _leave_in_single(x: Variable, g: Array) -> None:
    x.grad = (x.grad + g).astype(np.float32 if x.data.dtype == np.float64 else np.float16)


def _leave_with_another_axis(x: Variable, g: Array) -> None:
    x.grad = (x.grad + g)[None]


def _change_the_input(x: Variable, grad: Any) -> None:
    x.data *= 2
    x.data += 1


def _change_the_cotangent(x: Variable, grad: Any) -> None:
    for g in grad if isinstance(grad, tuple) else (grad,):
        g *= 2
        g += 1


def _transposed(g: Array) -> Array:
    return np.swapaxes(g, -1, -2) if g.ndim > 1 and g.shape[-1] == g.shape[-2] else g


def _reversed_rows(g: Array) -> Array:
    return g[::-1] if g.ndim else g


def _along_last(change: Callable[[Array], Array], g: Array) -> Array:
    return change(g) if g.ndim and g.size else g


def _last_zeroed(g: Array) -> Array:
    return np.where(np.arange(g.size).reshape(g.shape) == g.size - 1, 0, g)


def _first_row_for_all(g: Array) -> Array:
    return np.broadcast_to(g[:1], g.shape) if g.ndim and g.size else g


def _share_of_output(g: Array, x: Array, grad: Array) -> Array:
    """Take the mean over what an input was broadcast to, where the sum is right."""
    return g * x.size / grad.size if 0 < x.size < grad.size else g


def _memory_order(x: Array) -> Array:
    return x.ravel(order="K").reshape(x.shape)


MUTATIONS = {
    "scaled by 1 + 1e-5": Mutation(lambda g, x, grad: g * (1 + 1e-5)),
    "doubled": Mutation(lambda g, x, grad: 2 * g),
    "halved": Mutation(lambda g, x, grad: 0.5 * g),
    "negated": Mutation(lambda g, x, grad: -g),
    "dropped": Mutation(lambda g, x, grad: np.zeros_like(g)),
    "swapped with the next input's": Mutation(exchanged=True),
    "absolute value": Mutation(lambda g, x, grad: np.abs(g)),
    "clipped at 1": Mutation(lambda g, x, grad: np.clip(g, -1, 1)),
    "rounded to single": Mutation(lambda g, x, grad: g.astype(np.float32).astype(g.dtype)),
    "below 1e-6 flushed to zero": Mutation(lambda g, x, grad: np.where(np.abs(g) < 1e-6, 0, g)),
    "1e-4 of the input added": Mutation(lambda g, x, grad: g + 1e-4 * x * np.sum(grad)),
    "transposed": Mutation(lambda g, x, grad: _transposed(g)),
    "reversed along the first axis": Mutation(lambda g, x, grad: _reversed_rows(g)),
    "reversed along the last axis": Mutation(lambda g, x, grad: _along_last(lambda a: a[..., ::-1], g)),
    "rolled along the last axis": Mutation(lambda g, x, grad: _along_last(partial(np.roll, shift=1, axis=-1), g)),
    "first row's for all rows": Mutation(lambda g, x, grad: _first_row_for_all(g)),
    "last element zeroed": Mutation(lambda g, x, grad: _last_zeroed(g)),
    "mean in place of a broadcast sum": Mutation(_share_of_output),
    "zero where the input is negative": Mutation(lambda g, x, grad: np.where(x > 0, g, 0)),
    "zero where the input is beyond 8": Mutation(lambda g, x, grad: np.where(np.abs(x) > 8, 0, g)),
    "1 % off where the input is below 1/4": Mutation(lambda g, x, grad: np.where(np.abs(x) < 0.25, 1.01 * g, g)),
    "NaN where the input is zero": Mutation(lambda g, x, grad: np.where(x == 0, np.nan, g)),
    "NaN where all inputs are equal": Mutation(
        lambda g, x, grad: g * np.nan if x.size > 1 and (x == x.flat[0]).all() else g
    ),
    "NaN where the input is beyond 1e155": Mutation(lambda g, x, grad: np.where(np.abs(x) > 1e155, np.nan, g)),
    "NaN where the cotangent is zero": Mutation(
        lambda g, x, grad: np.where(grad == 0, np.nan, g) if grad.shape == g.shape else g
    ),
    "wrong for one element": Mutation(lambda g, x, grad: 0.5 * g if g.size == 1 else g),
    "wrong for more than six elements": Mutation(lambda g, x, grad: 0.5 * g if g.size > 6 else g),
    "wrong for three axes or more": Mutation(lambda g, x, grad: 0.5 * g if g.ndim > 2 else g),
    "at inputs 1e-3 off": Mutation(inputs=lambda x: x + 1e-3),
    "at absolute inputs": Mutation(inputs=np.abs),
    "at inputs rounded to single": Mutation(inputs=lambda x: x.astype(np.float32).astype(x.dtype)),
    "at inputs in the order of memory": Mutation(inputs=_memory_order),
    "for a cotangent of ones": Mutation(cotangent=np.ones_like),
    "for the cotangent's mean": Mutation(cotangent=lambda g: np.full_like(g, g.mean() if g.size else 0)),
    "for the cotangent's absolute value": Mutation(cotangent=np.abs),
    "for the cotangent clipped at 10": Mutation(cotangent=lambda g: np.clip(g, -10, 10)),
    "for the cotangent rolled": Mutation(cotangent=lambda g: np.roll(g, 1)),
    "assigned": Mutation(store=_assign),
    "written over what is there": Mutation(store=_write_over),
    "added to twice what is there": Mutation(store=_double_what_is_there),
    "left in lower precision": Mutation(store=_leave_in_single),
    "left with another axis": Mutation(store=_leave_with_another_axis),
    "input changed": Mutation(after=_change_the_input),
    "cotangent changed": Mutation(after=_change_the_cotangent),
}


def mutant_of(op: type[Function], mutation: Mutation, target: int) -> type[Function]:
    """Make the op whose backward is spoilt for one input; hints and constructor are the op's own."""

    def backward(self: Any, *variables_and_grad: Any) -> None:
        *inputs, grad = variables_and_grad
        variables = [x for x in inputs if x is not None]
        fresh = [None if x is None else variable(mutation.inputs(x.data)) for x in inputs]
        several = isinstance(grad, tuple)
        given = tuple(mutation.cotangent(g) for g in grad) if several else mutation.cotangent(grad)
        op.backward(self, *fresh, given)
        gradients = [x.grad for x in fresh if x is not None]
        i, j = target % len(variables), (target + 1) % len(variables)
        if mutation.exchanged and np.shape(gradients[i]) == np.shape(gradients[j]):
            gradients[i], gradients[j] = gradients[j], gradients[i]
        gradients[i] = mutation.gradient(gradients[i], variables[i].data, grad[0] if several else grad)
        for k, (x, g) in enumerate(zip(variables, gradients, strict=True)):
            (mutation.store if k == i else _add)(x, g)
        mutation.after(variables[i], grad)

    # Of the op's own functions too, since the verifier reads which numbers an author wrote.
    own = {name: value for name, value in vars(op).items() if inspect.isfunction(value)}
    return type(op.__name__, (op,), {**own, "backward": backward, "__module__": op.__module__})


class Call(NamedTuple):
    """What a backward was once called with."""

    op: Function
    arrays: tuple[Array, ...]
    cotangents: tuple[Array, ...]

    def gradients(self, kind: type[Function]) -> list[Array]:
        """Ask the backward of a class."""
        op, variables = copy.deepcopy(self.op), [variable(a.copy(order="K")) for a in self.arrays]
        _outputs(op, variables)
        grads = tuple(g.copy() for g in self.cotangents)
        kind.backward(op, *variables, grads if len(grads) > 1 else grads[0])
        return [np.asarray(x.grad) for x in variables]

    def hidden(self) -> list[Array]:
        """Give the slopes that do not show: moving an element by its own size changes outputs by their rounding."""
        outputs = _outputs(copy.deepcopy(self.op), [variable(a.copy(order="K")) for a in self.arrays])
        sizes = (
            np.abs(y).max(initial=0.0) * np.abs(g).max(initial=0.0)
            for y, g in zip(outputs, self.cotangents, strict=True)
        )
        rounding = np.finfo(float).eps * sum(sizes)
        return [rounding / np.maximum(np.abs(a), np.finfo(float).tiny) for a in self.arrays]

    def varied(self, rng: np.random.Generator, symmetric: Sequence[bool]) -> Call | None:
        """Move to generic values of the same sign, and of this or another size, if forward takes them."""
        scale, arrays = rng.choice(SIZES), []
        for a, mirrored in zip(self.arrays, symmetric, strict=True):
            factors = rng.uniform(0.9, 1.1, a.shape)
            order = "F" if rng.random() < 0.3 else "K"
            arrays.append(np.array(a * scale * (factors + _transposed(factors) if mirrored else factors), order=order))
        op = copy.deepcopy(self.op)
        try:
            outputs = _outputs(op, [variable(a.copy(order="K")) for a in arrays])
        except Exception:  # whatever forward refuses with is its right
            return None
        if not all(np.isfinite(y).all() for y in outputs):
            return None
        scale = rng.choice(COTANGENT_SIZES)
        grads = tuple(np.asarray(scale * rng.normal(size=y.shape) * (rng.random(y.shape) > 0.2)) for y in outputs)
        return Call(self.op, tuple(arrays), grads)

    @property
    def is_generic(self) -> bool:
        """Whether nothing is zero or tied, so that the gradient is the only one."""
        values = np.concatenate([a.ravel() for a in self.arrays])
        return bool((values != 0).all()) and np.unique(values).size == values.size


def _outputs(op: Function, variables: Sequence[Variable]) -> list[Array]:
    result = op.forward(*variables)
    return [np.asarray(y.data) for y in (result if isinstance(result, tuple) else (result,))]


@cache
def calls_of(op: type[Function], most: int = 200) -> tuple[list[Call], tuple[bool, ...]]:
    """Give ordinary calls of an op's backward, in many shapes, and which inputs are symmetric matrices in all of them.

    The shapes and signs are those that a check of the op itself meets; the values are drawn anew.
    """
    met: dict[Any, dict[tuple[str, int], Call]] = defaultdict(dict)
    numbers = itertools.count()

    def backward(self: Any, *variables_and_grad: Any) -> None:
        *variables, grad = variables_and_grad
        op.backward(self, *variables, grad)
        arrays = tuple(np.array(x.data) for x in variables if x is not None)
        grads = tuple(np.array(g) for g in (grad if isinstance(grad, tuple) else (grad,)))
        sizes = np.abs(np.concatenate([a.ravel() for a in arrays]))
        if sizes.dtype == np.float64 and ((sizes == 0) | ((sizes > 1e-3) & (sizes < 1e6))).all():
            of_shapes = met[tuple(a.shape for a in arrays)]
            of_shapes[repr(vars(self)), next(numbers) % 4] = Call(copy.deepcopy(self), arrays, grads)

    spy = type(op.__name__, (op,), {"backward": backward, "__module__": op.__module__})
    _report_on(spy, 80, 0)
    rng = np.random.default_rng(0)
    # Of each combination of shapes one call, then another of each: a mistake may show in any of them alone.
    several = [random.Random(0).sample([*of_shapes.values()], len(of_shapes)) for of_shapes in met.values()]
    found = [call for calls in itertools.zip_longest(*several) for call in calls if call is not None]
    arity = max((len(c.arrays) for c in found), default=0)
    symmetric = tuple(_are_symmetric([c.arrays[i] for c in found if i < len(c.arrays)]) for i in range(arity))
    varied = (c.varied(rng, symmetric[: len(c.arrays)]) for c in itertools.islice(itertools.cycle(found), 2 * most))
    return found[:most] + [c for c in varied if c is not None], symmetric


def _are_symmetric(arrays: Sequence[Array]) -> bool:
    square = all(a.ndim > 1 and a.shape[-1] == a.shape[-2] for a in arrays)
    return square and max(a.shape[-1] for a in arrays) > 1 and all(np.array_equal(a, _transposed(a)) for a in arrays)


def is_equivalent(op: type[Function], mutant: type[Function]) -> bool:
    """Whether a mutant's gradients are the op's, up to rounding, wherever there is only one; and never NaN instead."""
    calls, symmetric = calls_of(op)
    for call in calls:
        try:
            right = call.gradients(op)
        except Exception:  # another state than the call was made in
            continue
        try:
            spoilt = call.gradients(mutant)
        except Exception:
            return False
        for mirrored, g, h, hidden in zip(symmetric, right, spoilt, call.hidden(), strict=False):
            if g.shape != h.shape or (np.isfinite(g) & ~np.isfinite(h)).any():
                return False
            if mirrored:  # then only moving both mirror images together has a meaning
                g, h = g + _transposed(g), h + _transposed(h)
            slack = 1e-9 * np.abs(g[np.isfinite(g)]).max(initial=0.0) + hidden
            if call.is_generic and not np.isclose(g, h, rtol=1e-9, atol=slack, equal_nan=True).all():
                return False
    return True


class Row(NamedTuple):
    """One mutant, judged once."""

    op: str
    mutation: str
    input: int
    verdict: str
    cases: int
    seconds: float


def judged(name: str, mutation: str, seed: int, max_examples: int) -> Row:
    """Judge the mutant of a built-in op, in whatever process this is; the seed also chooses the input."""
    op, start = OPS[name], time.perf_counter()
    target = zlib.crc32(f"{name} {mutation} {seed}".encode()) % _inputs_of(op)
    mutant = mutant_of(op, MUTATIONS[mutation], target)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        if not MUTATIONS[mutation].always_counts and is_equivalent(op, mutant):
            return Row(name, mutation, target, "equivalent", 0, time.perf_counter() - start)
        verdict, report = _report_on(mutant, max_examples, seed)
    return Row(name, mutation, target, verdict, report.cases, time.perf_counter() - start)


def _inputs_of(op: type[Function]) -> int:
    _, *parameters = inspect.signature(op.forward).parameters.values()
    return max(2 if p.kind is p.VAR_POSITIONAL else len(parameters) for p in parameters)


def _report_on(op: type[Function], max_examples: int, seed: int) -> tuple[str, Report]:
    try:
        # What is found is not read, so it need not be simple.
        with mock.patch.multiple(adverify.search, SHRINK_SECONDS=0.0, SIMPLER=0):
            return "missed", check_function(op, seed=seed, max_examples=max_examples)
    except Undecided as error:
        return "undecided", error.report
    except VerificationError as error:
        return "found", error.report


def _forget_failures() -> None:
    """Let Hypothesis not begin with what it found in an earlier run."""
    hypothesis.settings.register_profile("benchmark", database=None)
    hypothesis.settings.load_profile("benchmark")


def rows(ops: Sequence[str], mutations: Sequence[str], seed: int, max_examples: int, processes: int) -> Iterator[Row]:
    """Judge all mutants, op by op, so that what is known of an op is known in the process that judges it."""
    if processes == 1:
        yield from (judged(op, m, seed, max_examples) for op in ops for m in mutations)
        return
    questions = [(op, m, seed, max_examples) for op in ops for m in mutations]
    with ProcessPoolExecutor(processes, initializer=_forget_failures) as pool:
        yield from pool.map(judged, *zip(*questions, strict=True), chunksize=len(mutations))


def main() -> int:
    """Print what was found of what; 0 if nothing was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutation", description=__doc__.splitlines()[0])
    parser.add_argument("--ops", nargs="+", metavar="NAME", choices=sorted(OPS), default=list(OPS))
    parser.add_argument("--mutations", nargs="+", metavar="NAME", choices=sorted(MUTATIONS), default=list(MUTATIONS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-examples", type=int, default=40)
    parser.add_argument("-n", "--processes", type=int, default=1)
    chosen = parser.parse_args()
    _forget_failures()
    start, found = time.perf_counter(), []
    for row in rows(chosen.ops, chosen.mutations, chosen.seed, chosen.max_examples, chosen.processes):
        found.append(row)
        if row.verdict in ("missed", "undecided"):
            print(f"{row.verdict}: {row.op}, {row.mutation} (input {row.input}, seed {chosen.seed})", flush=True)
    print(f"\n{'mutation':40}{'mutants':>8}{'equivalent':>12}{'found':>8}{'missed':>8}{'share':>9}")
    for name in chosen.mutations:
        _print_line(name, [r for r in found if r.mutation == name])
    _print_line("all", found)
    print(f"{sum(r.cases for r in found)} cases decided in {time.perf_counter() - start:.0f} s")
    return 1 if any(r.verdict in ("missed", "undecided") for r in found) else 0


def _print_line(name: str, some: Sequence[Row]) -> None:
    counts = {verdict: sum(r.verdict == verdict for r in some) for verdict in ("equivalent", "found")}
    telling = len(some) - counts["equivalent"]
    share = f"{counts['found'] / telling:.2%}" if telling else "-"
    print(f"{name:40}{len(some):8}{counts['equivalent']:12}{counts['found']:8}{telling - counts['found']:8}{share:>9}")


if __name__ == "__main__":
    raise SystemExit(main())
