"""What is measured of a failure is what forward and backward do there."""

import time

import numpy as np

from adverify import Function, variable
from adverify.anatomy import SIDE, anatomy_of
from tests import failures


def case_of(report):
    return report.failures[0].case


def test_jacobians_of_each_input_the_wrong_one_first():
    anatomy = anatomy_of(case_of(failures.wrong_number()))
    y, x = anatomy.jacobians
    assert (y.input, x.input) == ("y", "x")
    np.testing.assert_allclose(y.numerical, [[1, 0, 1, 0], [0, 1, 0, 1]], atol=1e-9)
    np.testing.assert_array_equal(y.analytic, [[1, 1, 1, 1], [1, 1, 1, 1]])
    np.testing.assert_allclose(x.numerical, x.analytic, atol=1e-9)
    assert (np.abs(y.numerical - [[1, 0, 1, 0], [0, 1, 0, 1]]) <= y.error).all()


def test_the_worst_direction_and_what_is_right_there():
    slope = anatomy_of(case_of(failures.wrong_number())).slope
    assert slope.direction == "y[0, 0]"
    assert slope.analytic == 2
    assert abs(slope.low - 1) <= slope.error
    for t, phi in slope.windows:
        np.testing.assert_allclose(phi, t, atol=1e-12)


def test_a_kink_has_two_slopes():
    anatomy = anatomy_of(case_of(failures.wrong_at_a_kink()))
    slope, (jacobian,) = anatomy.slope, anatomy.jacobians
    np.testing.assert_allclose([slope.low, slope.high], [-1, 1], rtol=1e-12)
    np.testing.assert_allclose(slope.left[:10], -1)
    np.testing.assert_allclose(slope.right[:10], 1)
    assert jacobian.error[0, 0] >= 1
    assert jacobian.error[1, 1] < 1e-9


def test_beside_a_jump_the_jacobian_is_that_of_the_piece():
    class Stairs(Function):
        def forward(self, x):
            return variable(np.where(x.data >= 1, x.data + 1, x.data))

        def backward(self, x, grad):
            x.grad += 2 * grad

    (jacobian,) = anatomy_of(case_of(failures.found(Stairs, [0.9998, -3.0]))).jacobians
    np.testing.assert_allclose(jacobian.numerical, np.eye(2), atol=1e-6)
    assert (np.abs(jacobian.numerical - np.eye(2)) <= jacobian.error).all()
    assert jacobian.error.max() < 1e-3


def test_at_a_jump_there_is_no_jacobian():
    class Step(Function):
        def forward(self, x):
            return variable(np.where(x.data >= 1, x.data + 1, x.data))

        def backward(self, x, grad):
            x.grad += grad * np.where(x.data == 1, 1.0, 2.0)

    (jacobian,) = anatomy_of(case_of(failures.found(Step, [1.0, -3.0]))).jacobians
    assert not np.isfinite(jacobian.numerical[0, 0])
    assert jacobian.error[0, 0] == np.inf
    assert jacobian.error[1, 1] < 1e-9


def test_a_large_jacobian_is_cut_around_what_is_wrong():
    class Late(Function):
        def forward(self, x):
            return variable(x.data**2)

        def backward(self, x, grad):
            x.grad += 2 * grad * x.data
            x.grad[77] += 1

    x = np.linspace(1.0, 2.0, 100)
    x[77] = 0.7071
    report = failures.found(Late, x)
    (jacobian,) = anatomy_of(case_of(report)).jacobians
    assert jacobian.size == (100, 100)
    assert len(jacobian.rows) == len(jacobian.columns) == SIDE
    assert 77 in jacobian.columns
    assert 77 in jacobian.rows


def test_what_is_too_large_is_left_out_with_the_reason():
    anatomy = anatomy_of(case_of(failures.huge()))
    assert not anatomy.jacobians
    assert "too large" in anatomy.note


def test_what_takes_too_long_is_left_out_with_the_reason():
    class Slow(failures.Long):
        def forward(self, x):
            time.sleep(0.05)
            return super().forward(x)

    case = case_of(failures.made(Slow, inputs=[np.ones(4)]))
    _ = case.outputs
    started = time.monotonic()
    anatomy = anatomy_of(case, seconds=0.5)
    assert time.monotonic() - started < 3
    assert "0.5 seconds" in anatomy.note


def test_an_op_that_prints_and_warns_is_not_heard(capsys, recwarn):
    class Loud(failures.Long):
        def forward(self, x):
            print("loud")
            np.log(-np.ones(1))
            return super().forward(x)

    anatomy_of(case_of(failures.made(Loud)))
    assert capsys.readouterr() == ("", "")
    assert not recwarn.list
