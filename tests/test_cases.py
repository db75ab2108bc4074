"""The values that cases are drawn with."""

import hypothesis
import numpy as np
from adverify.strategies.cases import cases
from adverify.strategies.values import Regime
from hypothesis import HealthCheck, Phase

from adverify import Function, check_function, variable
from adverify.inference import infer
from adverify.subject import subject_of


class ExpTimesScale(Function):
    """exp(x) * s, which overflows where x is large."""

    def forward(self, x, s):
        return variable(np.exp(x.data) * s.data)

    def backward(self, x, s, grad):
        raise NotImplementedError


def test_values_that_forward_has_no_number_for_do_not_drive_out_others_beside_them():
    subject = subject_of(ExpTimesScale, {})
    subjects = [(subject, sampling) for sampling in infer(subject, 2)]
    extreme = []

    @hypothesis.seed(0)
    @hypothesis.settings(
        max_examples=20, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck), deadline=None
    )
    @hypothesis.given(cases(subjects, Regime.EXTREME))
    def draw(drawn):
        extreme.extend(np.mean(case.arrays[0] < -100) for case in drawn if case.arrays[0].size > 4)

    draw()
    assert np.mean(extreme) > 0.1


class ScaleOfEachRow(Function):
    """exp(x) times a number for each row of matrices: elementwise where there are as many rows as columns."""

    def forward(self, x, s):
        if x.data.ndim != 3 or s.data.shape != x.data.shape[1:2]:
            raise ValueError("one scale a row")
        return variable(np.exp(x.data) * s.data[:, None])

    def backward(self, x, s, grad):
        y = np.exp(x.data)
        x.grad = x.grad + grad * y * s.data[:, None]
        s.grad = s.grad + (grad * y).sum(axis=(0, 2))


def test_what_looks_elementwise_and_is_not_is_drawn_all_the_same():
    assert check_function(ScaleOfEachRow, seed=0).ok
