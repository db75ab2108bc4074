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


class SlopeOfEachChannel(Function):
    """x where it is positive, else times a number for each channel: this may look elementwise where x is cubic."""

    def forward(self, x, slope):
        if x.data.ndim != 3 or slope.data.shape != x.data.shape[1:2]:
            raise ValueError("one slope a channel")
        return variable(np.where(x.data > 0, x.data, slope.data[:, None] * x.data))

    def backward(self, x, slope, grad):
        x.grad = x.grad + grad * np.where(x.data > 0, 1.0, slope.data[:, None])
        slope.grad = slope.grad + (grad * np.minimum(x.data, 0)).sum(axis=(0, 2))


def test_what_looks_elementwise_and_is_not_is_drawn_all_the_same():
    assert check_function(SlopeOfEachChannel, seed=7).ok
