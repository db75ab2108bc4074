"""For test files: the ops of a module as parameters of a test."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest

from adverify.config import Config
from adverify.discovery import functions_in
from adverify.exemptions import exemption


def over_functions(*modules: ModuleType, name: str = "op") -> Callable[..., pytest.MarkDecorator]:
    """Parametrize a test over the ops that modules and packages define, one case an op, with its name as the id.

    An op's own ``adverify_skip`` and ``adverify_xfail``, where they are about the op as a whole, mark its case.

    Parameters
    ----------
    *modules : module
    name : str
        The test's argument that takes the op.

    Raises
    ------
    ValueError
        If there are no ops in them: a test of nothing would pass.

    Examples
    --------
    >>> import adverify.ops.trigonometry
    >>> @over_functions(adverify.ops.trigonometry)
    ... def test_gradients(op):
    ...     adverify.check_function(op)
    """
    ops = [op for module in modules for op in functions_in(module)]
    if not ops:
        given = ", ".join(module.__name__ for module in modules) or "no module"
        raise ValueError(f"expected modules that define ops, subclasses of adverify.Function; found none in {given}")
    parameters = []
    for op in dict.fromkeys(ops):
        marks = []
        if reason := exemption("skip", op, "", Config()):
            marks.append(pytest.mark.skip(reason=reason))
        if reason := exemption("xfail", op, "", Config()):
            marks.append(pytest.mark.xfail(reason=reason, strict=True))
        parameters.append(pytest.param(op, id=op.__qualname__, marks=marks))
    return pytest.mark.parametrize(name, parameters)
