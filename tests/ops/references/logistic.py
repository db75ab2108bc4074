"""What forward should equal: the logistic function and its relatives."""

import numpy as np
from scipy import special

from adverify import ops
from tests.ops.references.samples import LINE, UNIT

OPEN = UNIT[(UNIT > 0) & (UNIT < 1)]

UNARY = [
    (ops.Expit, special.expit, LINE), (ops.Logit, special.logit, OPEN),
    (ops.LogExpit, lambda x: -np.logaddexp(0, -x), LINE),
]  # fmt: skip
