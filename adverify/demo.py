"""``python -m adverify.demo``: verify the built-in ops, then an op that is wrong."""

from __future__ import annotations

import time
from typing import Any

import adverify.ops
from adverify.check import check_function
from adverify.discovery import functions_in
from adverify.engine import Function, Variable, variable
from adverify.report import VerificationError


class WrongDotProduct(Function):
    """A matrix product whose backward sends the two transposed products to the wrong inputs."""

    def forward(self, x: Variable, y: Variable) -> Variable:
        return variable(x.data @ y.data)

    def backward(self, x: Variable, y: Variable, grad: Any) -> None:
        x.grad += x.data.T @ grad
        y.grad += grad @ y.data.T


def main() -> int:
    """Print a line per op and the failure; 0 if every built-in op is verified and the wrong one found."""
    unexpected = 0
    for op in functions_in(adverify.ops):
        start = time.perf_counter()
        try:
            line = check_function(op, max_examples=20).headline
        except VerificationError as error:
            unexpected += 1
            line = str(error)
        print(f"{line} ({time.perf_counter() - start:.2f} s)")
    print("\nAnd an op that is wrong:\n")
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
