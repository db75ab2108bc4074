"""For test files: the ops of a module as parameters of a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from types import ModuleType

import pytest

from adverify.discovery import functions_in
from adverify.engine import Function
from adverify.exemptions import hints
from adverify.report import VerificationError


def over_functions(*modules: ModuleType, name: str = "op") -> Callable[..., pytest.MarkDecorator]:
    """Parametrize a test over the ops that modules and packages define, one case an op, with its name as the id.

    An op's own ``adverify_skip`` and ``adverify_xfail`` mark its case. If they name properties, those that are left out
    are not asked by `check_function`; and of those expected to be violated one must be, and no other.

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
        parameters.append(pytest.param(op, id=op.__qualname__, marks=[*_marks(op)]))
    return pytest.mark.parametrize(name, parameters)


def _marks(op: type[Function]) -> Iterator[pytest.MarkDecorator]:
    if reason := hints("skip", op).get(""):
        yield pytest.mark.skip(reason=reason)
    expected = hints("xfail", op)
    if reason := expected.get(""):
        yield pytest.mark.xfail(reason=reason, strict=True)
    elif expected:
        reason = ", ".join(f"{name}: {why}" for name, why in expected.items())
        yield pytest.mark.xfail(reason=reason, strict=True, raises=_violation_of(expected.keys()))


def _violation_of(expected: Set[str]) -> type[Exception]:
    """Make a class, for ``raises=``, of which a VerificationError is if it is about these properties and no others."""

    class Kind(type):
        def __instancecheck__(cls, error: object) -> bool:
            return (
                isinstance(error, VerificationError)
                and bool(error.report.failures)
                and {f.property for f in error.report.failures} <= expected
            )

    class Expected(Exception, metaclass=Kind):
        pass

    return Expected
