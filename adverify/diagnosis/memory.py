"""Arrays that are written to, shared, or read as they lie in memory."""

from __future__ import annotations

import numpy as np

from adverify.case import Case
from adverify.diagnosis.base import Fault
from adverify.diagnosis.exceptions import own_line
from adverify.diagnosis.witness import fresh
from adverify.report import Failure
from adverify.subject import BackwardRaised, Rejected


class Mutation(Fault):
    """An input, a cotangent or an output is changed.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(x.data**2)

            def backward(self, x, grad):
                grad *= 2 * x.data
                x.grad += grad
    """

    kind = "mutation"
    properties = ("purity",)

    def explain(self, failure: Failure) -> str:
        reason = failure.verdict.reason.removesuffix(failure.verdict.aside)
        if " changes " not in reason:
            return ""
        who, what = reason.split(" changes ", 1)
        named = " and ".join(e.what for e in failure.verdict.evidence) if what.startswith("its input") else what
        return f"{who} changes {named} in place{_writing_line(failure.case)}"


def _writing_line(case: Case) -> str:
    op, inputs = case.subject.make(), fresh(case)
    for x in inputs:
        x.data.flags.writeable = False
    cotangents = [np.array(g) for g in case.cotangents]
    for g in cotangents:
        g.flags.writeable = False
    try:
        outputs = case.subject.apply(op, inputs)
        for y in outputs:
            if isinstance(y.data, np.ndarray):
                y.data.flags.writeable = False
        case.subject.pull_back(op, inputs, cotangents)
    except (Rejected, BackwardRaised) as error:
        cause = error.__cause__
        if cause is not None and "read-only" in str(cause):
            return own_line(cause, case)
    return ""


class SharedMemory(Fault):
    """Gradients, or outputs of several calls, are the same memory.

    Examples
    --------
    ::

        class Op(Function):
            def __init__(self):
                self.out = {}

            def forward(self, x):
                out = self.out.setdefault(x.data.shape, np.empty(x.data.shape))
                return variable(np.exp(x.data, out=out))

            def backward(self, x, grad):
                x.grad += grad * np.exp(x.data)
    """

    kind = "shared"
    properties = ("aliasing", "reentrancy", "accumulation", "composition")

    def explain(self, failure: Failure) -> str:
        case = failure.case
        op, inputs = case.subject.make(), fresh(case)
        outputs = case.subject.apply(op, inputs)
        cotangents = [np.array(g) for g in case.cotangents]
        case.subject.pull_back(op, inputs, cotangents)
        for i, x in enumerate(inputs):
            for j, y in enumerate(inputs[:i]):
                if np.shares_memory(x.grad, y.grad):
                    return f"{case.names[j]}.grad and {case.names[i]}.grad are the same memory"
        again = fresh(case)
        later = case.subject.apply(op, again)
        for y, z in zip(outputs, later, strict=True):
            if np.shares_memory(y.data, z.data):
                return "the outputs of two calls of one instance are the same memory"
        return ""


class Memory(Fault):
    """The result depends on how an array lies in memory.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(x.data**2)

            def backward(self, x, grad):
                x.grad += 2 * grad * x.data.ravel(order="K").reshape(x.data.shape)
    """

    kind = "memory"
    properties = ("layout",)

    def explain(self, failure: Failure) -> str:
        return failure.verdict.reason
