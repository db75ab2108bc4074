"""``python -m adverify.demo``: verify the built-in ops, then an op that is wrong."""

from __future__ import annotations

from typing import Any

import adverify.ops
from adverify.check import check_function
from adverify.discovery import functions_in
from adverify.engine import Function, Variable, variable
from adverify.report import VerificationError
from adverify.runner import Lost, Processes

EXAMPLES = 10


class WrongDotProduct(Function):
    """A matrix product whose backward sends the two transposed products to the wrong inputs."""

    def forward(self, x: Variable, y: Variable) -> Variable:
        return variable(x.data @ y.data)

    def backward(self, x: Variable, y: Variable, grad: Any) -> None:
        x.grad += x.data.T @ grad
        y.grad += grad @ y.data.T


def verified(op: type[Function]) -> tuple[bool, str]:
    """Give whether an op is verified, with a few examples, and a line that says so."""
    try:
        report = check_function(op, max_examples=EXAMPLES, seed=0)
    except VerificationError as error:
        report = error.report
    return report.ok, f"{report.headline if report.ok else report} ({report.seconds:.1f} s)"


def main() -> int:
    """Print a line per op and the failure; 0 if every built-in op is verified and the wrong one found."""
    unexpected = 0
    ops = list(functions_in(adverify.ops))
    print(f"Verifying the {len(ops)} built-in ops, {EXAMPLES} examples each, on all cores:\n", flush=True)
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
