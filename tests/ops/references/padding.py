"""What forward should equal: padding."""

import numpy as np

from adverify import ops
from tests.ops.references.samples import X, some

OTHERS = [
    (ops.Pad(constant_values=2.0), lambda x: np.pad(x, 1, constant_values=2.0), X),
    *(
        (ops.Pad(width, mode), lambda x, w=width, m=mode: np.pad(x, w, m), x)
        for mode in ops.Pad.MODES
        for width in (0, 2, (0, 7), ((1, 0), (0, 2)))
        for x in (X, some(1, 3))
    ),
    (ops.Pad(((2, 1),) * 3, "wrap"), lambda x: np.pad(x, (2, 1), "wrap"), some(2, 1, 3)),
]
