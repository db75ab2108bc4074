"""Which shapes ops are found to take, from nothing but calls of their forward."""

import itertools

import numpy as np
import pytest

from adverify import Function, variable
from adverify.inference import infer
from adverify.shapes import varied
from adverify.subject import subject_of


class Cell(Function):
    """tanh(x W + h U + b), for inputs that match in every length."""

    def forward(self, x, h, w, u, b):
        (n, i), (m, k) = x.data.shape, h.data.shape
        if n != m or w.data.shape != (i, k) or u.data.shape != (k, k) or b.data.shape != (k,):
            raise ValueError("lengths differ")
        return variable(np.tanh(x.data @ w.data + h.data @ u.data + b.data))

    def backward(self, x, h, w, u, b, grad):
        raise NotImplementedError


class GatedCell(Function):
    """Four gates side by side, so that some axes are four times as long as others."""

    def forward(self, x, h, c, w, u, b):
        (n, i), (m, k) = x.data.shape, h.data.shape
        if n != m or c.data.shape != h.data.shape or w.data.shape != (i, 4 * k):
            raise ValueError("lengths differ")
        if u.data.shape != (k, 4 * k) or b.data.shape != (4 * k,):
            raise ValueError("lengths differ")
        gates = np.split(x.data @ w.data + h.data @ u.data + b.data, 4, axis=1)
        return variable(gates[0] * gates[1] + c.data * gates[2] + gates[3])

    def backward(self, x, h, c, w, u, b, grad):
        raise NotImplementedError


class TwoLayers(Function):
    """Nothing is checked: NumPy's broadcasting decides what is taken."""

    def forward(self, x, w, b, v, c):
        return variable(np.tanh(x.data @ w.data + b.data) @ v.data + c.data)

    def backward(self, x, w, b, v, c, grad):
        raise NotImplementedError


@pytest.mark.parametrize(("op", "arity"), [(Cell, 5), (GatedCell, 6)])
def test_lengths_of_many_inputs_are_told_apart(op, arity):
    (found,) = infer(subject_of(op, {}), arity)
    lengths = {(x[0], x[1], h[1]) for x, h, *_ in found.shapes}
    assert len({tuple(np.argsort(sizes)) for sizes in lengths if len(set(sizes)) == 3}) >= 2
    assert any(1 in sizes for sizes in lengths)


def test_layers_that_check_nothing_are_tried_as_they_are_meant():
    (found,) = infer(subject_of(TwoLayers, {}), 5)
    meant = [s for s in found.shapes if [len(x) for x in s] == [2, 2, 1, 2, 1]]
    assert any(len({*x, *v}) == 4 for x, _, _, v, _ in meant)


def test_varied_keeps_one_of_each_kind():
    items = list(itertools.product("abc", range(20)))
    kinds = [letter for letter, _ in items]
    for at in range(len(items)):
        chosen = varied(items, kinds, 10, at)
        assert {letter for letter, _ in chosen} == set("abc")
        assert 3 <= len(set(chosen)) == len(chosen) <= 10
    assert varied(items, kinds, 100, 5) == items
