"""Forward at many points in few calls: what it gives is what each point gives alone."""

import time

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


class TakesItsTime(Function):
    """A millisecond for each row: all points together would be taken for a call that hangs."""

    longest = 0

    def forward(self, x):
        TakesItsTime.longest = max(TakesItsTime.longest, len(np.atleast_2d(x.data)))
        time.sleep(1e-3 * len(np.atleast_2d(x.data)))
        return variable(np.sin(x.data))


TakesItsTime.backward = lambda self, x, grad: None


def test_a_common_call_takes_no_longer_than_a_call_may():
    x = np.array([1.0, 2.0])
    subject = subject_of(TakesItsTime, {})
    evaluate = Evaluator(subject, (x,), subject.forward([x]), Memory())
    points = x + np.linspace(0, 1, 2000)[:, None]
    assert (evaluate(points) == np.sin(points)).all()
    assert 50 < TakesItsTime.longest < 1000
