"""A type checker in strict mode accepts what users write, and rejects what fails when it runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# A `type: ignore` is a claim too: strict mode rejects one on a line without that error.
PROGRAM = """
from typing import Any, assert_type

import numpy as np

from adverify import Function, Variable, check_function, ops, tensor, variable


class MatMul(Function):
    def forward(self, x: Variable, y: Variable) -> Variable:
        return variable(x.data @ y.data)

    def backward(self, x: Variable, y: Variable, grad: Any) -> None:
        x.grad += grad @ y.data.T
        y.grad += x.data.T @ grad


Variable.__matmul__ = MatMul()
check_function(MatMul)

x, y, a = tensor([[1.0, 2.0]]), tensor([[1.0], [1.0]]), np.ones((2, 2))
z = (x @ y + 1).sum(axis=0).T
z.backward()
g = z.grad
total = ops.sum(x, axis=0) + ops.concatenate([x, x], axis=1)
assert_type(-x**2 / (1 - abs(x)) % 3 // 2, Variable)
assert_type(a @ x + a * y, Variable)
assert_type(np.float32(2) * x, Variable)
first, second = x[0]
mask = x > 0
equal = (x == y).all()
for row in x:
    row.backward(np.ones(2))
if len(x) == 1 and 1.0 in x and x.max():
    print(float(x.sum()), int(x.item(0)), x.shape[0], x[mask].reshape(1, -1).mean())
x += 1
x.backward(1.0)

x.backward(1.0, 2.0)  # type: ignore[call-arg]
Variable()  # type: ignore[call-arg]
np.sin(x)  # type: ignore[call-overload]
"""


def test_mypy_agrees_with_a_users_program(tmp_path):
    pytest.importorskip("mypy", reason="mypy is in the dev group")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    # From its source, since mypy does not see what an editable install maps; whose own errors CI looks at.
    source = {"MYPYPATH": str(Path(__file__).parent.parent)}
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--cache-dir=cache", program.name]
    result = subprocess.run(command, cwd=tmp_path, env=os.environ | source, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
