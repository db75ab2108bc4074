"""The engine driven at random: graphs are built, passed, kept, dropped, used again and interleaved.

The reference is the definition: the gradient of an output with respect to a Variable is the sum, over all paths from
one to the other, of the products of the local derivatives along the path. Local derivatives are matrices, made by hand.
"""

import gc
import weakref

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from adverify import Function, Variable, variable

N = 2


class Twice(Function):
    """A linear map: its derivative is a matrix that no one needs to believe in."""

    def __init__(self, *matrices):
        self.matrices = matrices

    def forward(self, *inputs):
        return variable(sum(m @ x.data for m, x in zip(self.matrices, inputs, strict=True)))

    def backward(self, *inputs_and_grad):
        *inputs, grad = inputs_and_grad
        for m, x in zip(self.matrices, inputs, strict=True):
            x.grad += m.T @ grad


class Both(Function):
    """Two outputs of one call."""

    def __init__(self, first, second):
        self.matrices = first, second

    def forward(self, x):
        return tuple(variable(m @ x.data) for m in self.matrices)

    def backward(self, x, grads):
        for m, g in zip(self.matrices, grads, strict=True):
            x.grad += m.T @ g


class Mirror:
    """What a Variable is in the reference: where it comes from, and what its gradient should be."""

    def __init__(self, v, sources=()):
        self.v, self.sources = v, sources
        self.expected = np.zeros(N)


def matrix(numbers):
    return np.array(numbers, float).reshape(N, N)


def add_all_paths(mirror, g):
    """Follow every path from an output, one after the other."""
    if mirror.v.requires_grad:
        mirror.expected = mirror.expected + g
    for m, source in mirror.sources:
        add_all_paths(source, m.T @ g)


MATRICES = st.lists(st.integers(-2, 2), min_size=N * N, max_size=N * N).map(matrix)
VECTORS = st.lists(st.integers(-3, 3), min_size=N, max_size=N).map(lambda v: np.array(v, float))


class Engine(RuleBasedStateMachine):
    """Integers in doubles: every sum is exact, so that no tolerance is needed."""

    variables = Bundle("variables")

    def __init__(self):
        super().__init__()
        self.all = []
        self.paths = {}

    def keep(self, v, *sources):
        mirror = Mirror(v, sources)
        self.all.append(mirror)
        self.paths[id(mirror)] = 1 + sum(self.paths[id(s)] for _, s in sources)
        return mirror

    def is_small(self, *sources):
        """Whether the reference, which is exponential, still ends soon."""
        return sum(self.paths[id(s)] for s in sources) < 300

    @initialize(target=variables, data=VECTORS)
    def first(self, data):
        return self.keep(variable(data, requires_grad=True))

    @rule(target=variables, data=VECTORS, requires=st.booleans())
    def leaf(self, data, requires):
        return self.keep(variable(data, requires_grad=requires))

    @rule(target=variables, x=variables, m=MATRICES, kept=st.booleans())
    def one(self, x, m, kept):
        return self.applied([m], [x], kept)

    @rule(target=variables, x=variables, y=variables, m=MATRICES, n=MATRICES, kept=st.booleans())
    def two(self, x, y, m, n, kept):
        return self.applied([m, n], [x, y], kept)

    @rule(target=variables, x=variables, m=MATRICES, n=MATRICES)
    def repeated(self, x, m, n):
        return self.applied([m, n, m], [x, x, x], False)

    def applied(self, matrices, sources, kept):
        if not self.is_small(*sources):
            return sources[0]
        y = Twice(*matrices)(*(s.v for s in sources))
        y.requires_grad = kept
        return self.keep(y, *zip(matrices, sources, strict=True))

    @rule(target=variables, x=variables, m=MATRICES, n=MATRICES, second=st.booleans())
    def one_of_two_outputs(self, x, m, n, second):
        if not self.is_small(x):
            return x
        y = Both(m, n)(x.v)[int(second)]
        return self.keep(y, ((m, n)[int(second)], x))

    @rule(target=variables, x=variables, m=MATRICES)
    def by_hand(self, x, m):
        """A node whose `back` is a function: it names its input, so that the engine waits for it."""
        if not self.is_small(x):
            return x

        def back(grad):
            x.v.grad = x.v.grad + m.T @ grad

        back.inputs = (x.v,)
        return self.keep(Variable(m @ x.v.data, back=back), (m, x))

    @rule(y=variables, g=VECTORS)
    def backward(self, y, g):
        y.v.backward(g)
        add_all_paths(y, g)

    @rule(y=variables)
    def backward_of_ones(self, y):
        y.v.backward()
        add_all_paths(y, np.ones(N))

    @rule(y=variables)
    def zeroed(self, y):
        y.v.grad = None
        y.expected = np.zeros(N)

    @rule(y=variables, kept=st.booleans())
    def kept_from_now_on(self, y, kept):
        y.v.requires_grad = kept
        y.v.grad = None
        y.expected = np.zeros(N)

    @rule(x=variables, m=MATRICES)
    def dropped(self, x, m):
        """A graph that nobody holds is gone at once."""
        y = Twice(m)(x.v)
        y.backward(np.zeros(N))
        gone = weakref.ref(y)
        gc.disable()
        try:
            del y
            assert gone() is None
        finally:
            gc.enable()

    @invariant()
    def every_gradient_is_the_sum_over_its_paths(self):
        for mirror in self.all:
            np.testing.assert_array_equal(mirror.v.grad, mirror.expected)

    @invariant()
    def no_pass_is_under_way(self):
        assert not any(mirror.v._waits for mirror in self.all)


TestEngine = Engine.TestCase
TestEngine.settings = settings(max_examples=40, stateful_step_count=25, deadline=None, database=None,
                               suppress_health_check=list(HealthCheck))  # fmt: skip
