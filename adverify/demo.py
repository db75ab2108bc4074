"""``python -m adverify.demo``: verify some of the built-in ops, then an op that is wrong."""

from __future__ import annotations

from typing import Any

import adverify.ops
from adverify.check import check_function
from adverify.discovery import functions_in
from adverify.engine import Function, Variable, variable
from adverify.report import VerificationError
from adverify.runner import Lost, Processes

EVERY = 8
"""Of the built-in ops one in so many is verified: all are in the test suite."""


class WrongDotProduct(Function):
    """A matrix product whose backward sends the two transposed products to the wrong inputs."""

    def forward(self, x: Variable, y: Variable) -> Variable:
        return variable(x.data @ y.data)

    def backward(self, x: Variable, y: Variable, grad: Any) -> None:
        x.grad += x.data.T @ grad
        y.grad += grad @ y.data.T


def verified(op: type[Function]) -> tuple[bool, str]:
    """Give whether an op is verified, and a line that says so."""
    try:
        report = check_function(op, seed=0)
    except VerificationError as error:
        report = error.report
    return report.ok, f"{report.headline if report.ok else report} ({report.seconds:.1f} s)"


def main() -> int:
    """Print a line per op and the failure; 0 if all but the wrong one are verified, and that is found."""
    unexpected = 0
    built_in = list(functions_in(adverify.ops))
    ops = built_in[::EVERY]
    print(f"Verifying {len(ops)} of the {len(built_in)} built-in ops, on all cores:\n", flush=True)
    with Processes() as processes:
        for op, said in processes.run(verified, ops):
            ok, line = (False, f"{op.__name__}: crashed: {said}") if isinstance(said, Lost) else said
            unexpected += not ok
            print(line, flush=True)
    print("\nAnd an op that is wrong:\n", flush=True)
    try:
        check_function(WrongDotProduct)
    except VerificationError as error:
        print(error)
    else:
        unexpected += 1
        print("WrongDotProduct was not found out")
    return 1 if unexpected else 0


if __name__ == "__main__":
    raise SystemExit(main())
