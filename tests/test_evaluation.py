"""Forward at many points in few calls: what it gives is what each point gives alone."""

import numpy as np
import pytest

from adverify import Function, variable
from adverify.evaluation import Evaluator, Memory
from adverify.subject import subject_of


class Capped(Function):
    """At most as large as a bound that one element sets; vectors only, so that points are joined, not stacked."""

    def __init__(self, index):
        self.index = index

    def forward(self, x):
        if x.data.ndim != 1:
            raise ValueError("vectors only")
        return variable(np.minimum(x.data, 5 + np.abs(x.data[self.index])))


Capped.backward = lambda self, x, grad: None


@pytest.mark.parametrize("index", [-1, 0])
def test_points_are_not_joined_where_one_element_matters_to_others(index):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 17)
    x[[3, 8]] = 9.0
    steps = 2.0 ** -np.arange(20)
    moves = np.roll(np.eye(17), 5, axis=0)[:, None, :] * np.concatenate([steps, -steps])[:, None]
    points = (x + moves).reshape(-1, 17)
    subject = subject_of(Capped, {"index": index})
    evaluate = Evaluator(subject, (x,), subject.forward([x]), Memory())
    assert (evaluate(points) == np.array([subject.forward([p])[0] for p in points])).all()
