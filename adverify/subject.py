"""What is verified: anything with a forward and a vector-Jacobian product. The verifier knows nothing else."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from adverify.calling import call_backward, inputs_named, refusal
from adverify.engine import Function, Variable, variable
from adverify.isolation import OutOfTime, Watch
from adverify.state import set_state, state_of

Arrays = tuple[np.ndarray, ...]

MOST_CONSTANTS, MOST_HELD = 12, 1e6


class Rejected(Exception):
    """Forward does not take these inputs: it raised, or what it returned is not finite."""


class BackwardRaised(Exception):
    """Backward raised on inputs that forward takes; the cause is what it raised."""

    def __init__(self, cause: BaseException) -> None:
        self.cause = readable(cause)
        super().__init__(f"backward raised {named(self.cause)}")


class NoGradient(BackwardRaised):
    """Backward left in an input's `.grad` what cannot be computed with."""

    def __init__(self, left: str) -> None:
        super().__init__(TypeError(left))
        self.args = (left,)


class MalformedOp(TypeError):
    """The op breaks the protocol in a way that no input matters to."""


@dataclass(frozen=True, repr=False)
class Subject:
    """A Function with its constructor arguments, as forward and VJP on plain arrays.

    Attributes
    ----------
    make : callable
        Gives an instance that nothing has used yet.
    name : str
        How a person writes it, ``"Sum(axis=0)"``.
    kind : type
        The class.
    watch : Watch, optional
        Reset before each call.
    arguments : mapping of str to object
        The constructor arguments.
    gives_tuple : bool
        Whether forward was last seen to return a tuple, be it of one output: backward gets a tuple of cotangents then.
    """

    make: Callable[[], Function]
    name: str
    kind: type[Function]
    watch: Watch | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    gives_tuple: bool = field(default=False, init=False, compare=False)

    def forward(self, arrays: Sequence[np.ndarray]) -> Arrays:
        """Compute the outputs with a fresh instance.

        Raises
        ------
        Rejected
            If forward raises or returns NaN or infinity.
        """
        return data_of(self.apply(self.make(), [variable(np.array(a)) for a in arrays]))

    def evaluate(self, arrays: Sequence[np.ndarray]) -> Arrays:
        """Compute the outputs as they come, NaN and infinity included; raises Rejected if forward raises."""
        return tuple(np.asarray(y.data) for y in self._call(self.make(), [variable(np.array(a)) for a in arrays]))

    def apply(self, op: Function, inputs: Sequence[Variable]) -> tuple[Variable, ...]:
        """Call `op.forward` and check what comes back."""
        outputs = self._call(op, inputs)
        if not all(np.isfinite(y.data).all() for y in outputs):
            raise Rejected("forward returned NaN or infinity")
        return outputs

    def _call(self, op: Function, inputs: Sequence[Variable]) -> tuple[Variable, ...]:
        self._start("forward", inputs)
        try:
            with np.errstate():  # which the op may change
                result = op.forward(*inputs)
        except MalformedOp:  # what a program gives is looked at by itself
            raise
        except BaseException as error:  # any refusal of the op's is its right
            if not is_of_the_op(error):
                raise
            raise Rejected(f"forward raised {named(readable(error))}") from error
        finally:
            self._stop()
        gives_tuple = isinstance(result, tuple) and bool(result)
        object.__setattr__(self, "gives_tuple", gives_tuple)
        outputs = result if gives_tuple else (result,)
        for y in outputs:
            if not isinstance(y, Variable):
                kind = "None" if y is None else f"a {type(y).__name__}"
                raise MalformedOp(f"{self.name}.forward returned {kind}; end it with `return variable(...)`")
            if not isinstance(y.data, np.ndarray | np.generic) or y.data.dtype.kind != "f":
                kind = str(getattr(y.data, "dtype", type(y.data).__name__))
                raise MalformedOp(f"{self.name}.forward returned {kind} data, which has no gradient; "
                                  "end it with `return variable(...)`, which makes it float64")  # fmt: skip
        return outputs

    def vjp(self, arrays: Sequence[np.ndarray], cotangents: Sequence[np.ndarray]) -> Arrays:
        """Compute the gradients, of the inputs' shapes, with a fresh instance and inputs whose gradient is zero."""
        op, inputs = self.make(), [variable(np.array(a)) for a in arrays]
        self.apply(op, inputs)
        return self.pull_back(op, inputs, [np.array(g) for g in cotangents])

    def as_given(self, cotangents: Sequence[Any]) -> Any:
        """Give cotangents as backward gets them: one by itself, unless forward returns tuples."""
        return tuple(cotangents) if self.gives_tuple or len(cotangents) > 1 else cotangents[0]

    def pull_back(self, op: Function, inputs: Sequence[Variable], cotangents: Sequence[np.ndarray]) -> tuple[Any, ...]:
        """Call `op.backward` and read what it left on the inputs."""
        self._start("backward", inputs)
        try:
            with np.errstate():
                call_backward(op, inputs, self.as_given(cotangents))
        except BaseException as error:  # whatever it is, it is what is wrong with the op
            if not is_of_the_op(error):
                raise
            raise BackwardRaised(error) from error
        finally:
            self._stop()
        left = tuple(x.grad for x in inputs)
        for i, grad in enumerate(left):
            if why := _no_numbers(grad):
                raise NoGradient(f"{input_names(self, len(left))[i]}.grad {why}")
        return left

    def __reduce__(self) -> Any:
        # Its class by an instance: that of an op without some inputs cannot be found by name. A watch stays at home.
        return _subject_again, (self.make, self.name, dict(self.arguments))

    def __repr__(self) -> str:
        return f"<Subject {self.name}>"

    def _start(self, what: str, inputs: Sequence[Variable]) -> None:
        if self.watch is not None:
            self.watch.reset(what, inputs)

    def _stop(self) -> None:
        if self.watch is not None:
            self.watch.stop()


OTHERS = ("_pytest", "hypothesis")
"""Packages whose exceptions, if they are no `Exception`, end a test, and are none of the op's."""


def is_of_the_op(error: BaseException) -> bool:
    """Whether an exception that comes out of a call is the op's own doing: `sys.exit` is, Ctrl-C is not."""
    if isinstance(error, Exception):
        return True
    packages = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    return not isinstance(error, KeyboardInterrupt | OutOfTime) and packages.isdisjoint(OTHERS)


def _no_numbers(grad: Any) -> str:
    """Say why one cannot compute with what backward left; empty if one can."""
    if not isinstance(grad, np.ndarray | np.generic | float) or isinstance(grad, np.ma.MaskedArray):
        return f"is a {type(grad).__name__}; an ndarray was expected"
    dtype = np.asarray(grad).dtype
    return "" if dtype.kind in "fiubc" else f"has dtype {dtype}; numbers were expected"


def named(error: BaseException) -> str:
    """Name an exception, and what it says."""
    said = str(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def readable(error: BaseException) -> BaseException:
    """Give an exception that can be written down: one of the same name in place of one whose message raises."""
    try:
        str(error)
    except Exception:  # whatever a message can raise
        other = type(type(error).__name__, (Exception,), {})("its message cannot be read")
        return other.with_traceback(error.__traceback__)
    return error


def location_of(kind: type) -> str:
    """Say where a class is defined, ``file:line``; empty if Python does not know."""
    try:
        return f"{inspect.getsourcefile(kind)}:{inspect.getsourcelines(kind)[1]}"
    except (OSError, TypeError):
        return ""


def data_of(outputs: Sequence[Variable]) -> Arrays:
    """Copy the outputs' values, so that nothing the op does later can change them."""
    return tuple(np.array(y.data) for y in outputs)


def subject_of(op: Any, arguments: Mapping[str, Any]) -> Subject:
    """Make a Subject of a Function class, or of an instance that is copied for each use.

    Raises
    ------
    TypeError
        If `op` is neither, its constructor raises, or its instances cannot be made alike.
    """
    missing = [name for name in ("forward", "backward") if not callable(getattr(op, name, None))]
    kind = op if isinstance(op, type) else type(op)
    if issubclass(kind, Function) and missing:
        raise MalformedOp(f"{kind.__name__} defines no {' and no '.join(missing)}; an op needs forward and backward")
    if isinstance(op, type) and issubclass(op, Function):
        name = _written(op, arguments) if arguments else op.__name__
        return Subject(_maker(_Constructor(op, dict(arguments))), name, op, arguments=dict(arguments))
    if isinstance(op, Function):
        return Subject(_copier(op), type(op).__name__, type(op))
    got = f"{op!r}, a {type(op).__name__}" if not isinstance(op, type) else f"the class {op.__name__}"
    raise MalformedOp(f"expected a subclass of adverify.Function or an instance of one; got {got}")


def _subject_again(make: Callable[[], Function], name: str, arguments: Mapping[str, Any]) -> Subject:
    return Subject(make, name, type(make()), arguments=arguments)


def _written(kind: type, arguments: Mapping[str, Any]) -> str:
    return f"{kind.__name__}({', '.join(f'{k}={v!r}' for k, v in arguments.items())})"


def _maker(construct: _Constructor) -> Callable[[], Function]:
    """Give what makes instances that are alike: copies of one, or where it cannot be copied its constructor."""
    first = construct()
    try:
        return _copier(first)
    except MalformedOp:
        if state_key(first) != state_key(construct()):
            raise
        return construct


def _copier(op: Function) -> _Copier:
    try:
        return _Copier(op)
    except Exception as error:  # whatever an attribute raises that cannot be copied
        name = type(op).__name__
        raise MalformedOp(
            f"an instance of {name} could not be copied: {named(readable(error))}. Each case is tried with an instance "
            f"in the state of the first: give the class, `check_function({name})`, with a constructor that makes equal "
            "instances; or define `__deepcopy__`"
        ) from error


@dataclass(frozen=True)
class _Constructor:
    """Makes instances from a class and its arguments."""

    kind: type[Function]
    arguments: Mapping[str, Any]

    def __call__(self) -> Function:
        try:
            return self.kind(**self.arguments)
        except BaseException as error:  # any refusal of a constructor's is its right
            if not is_of_the_op(error):
                raise
            name = self.kind.__name__
            said = str(error) if isinstance(error, TypeError) else named(readable(error))
            raise MalformedOp(
                f"{_written(self.kind, self.arguments)} could not be made: {said}. Give its constructor arguments, as "
                f"the class's `arguments = {{...}}` or as `check_function({name}, arguments={{...}})`; or an instance, "
                f"`check_function({name}(...))`"
            ) from error


class _Copier:
    """Makes instances in the state that `op` has now; copies, for a constructor may draw at random."""

    def __init__(self, op: Function) -> None:
        self._kept = copy.deepcopy(op)
        self._state = state_of(self._kept)
        self._is_plain = all(is_immutable(v) or _is_plain_array(v) for v in self._state.values())
        self._arrays = [name for name, v in self._state.items() if isinstance(v, np.ndarray)]

    def __call__(self) -> Function:
        if not self._is_plain:
            return copy.deepcopy(self._kept)
        new = object.__new__(type(self._kept))
        set_state(new, self._state | {name: self._state[name].copy() for name in self._arrays})
        return new

    def __reduce__(self) -> Any:
        return _Copier, (self._kept,)


def _is_plain_array(value: Any) -> bool:
    return type(value) is np.ndarray and value.dtype != object and value.base is None


def state_key(value: Any, depth: int = 4) -> Any:
    """Give what two values have in common that are equal, as far as it can be told."""
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value.dtype.str, value.shape, value.tobytes()
    if is_immutable(value) or not depth:
        return repr(value) if depth else type(value).__name__
    if isinstance(value, Variable):
        return state_key(value.data)
    if isinstance(value, Function):
        return type(value).__qualname__, state_key(state_of(value), depth - 1)
    if isinstance(value, Mapping):
        return tuple((repr(k), state_key(v, depth - 1)) for k, v in value.items())
    if isinstance(value, list | tuple):
        return type(value).__name__, *(state_key(v, depth - 1) for v in value)
    return type(value).__name__


def is_immutable(value: Any) -> bool:
    """Whether a value that an instance holds can neither change nor be unlike itself when it is copied."""
    if isinstance(value, tuple):
        return all(is_immutable(v) for v in value)
    return value is None or isinstance(value, bool | int | float | str | bytes | np.generic | type)


def arities(subject: Subject) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """How many inputs `forward` takes: one number for each of its optional inputs, a few for `*variables`.

    Of those as many as its backward names, if it does; otherwise also how many they may be if it takes none of these.
    """
    kinds = inspect.Parameter
    parameters = list(inspect.signature(subject.make().forward).parameters.values())
    named = [p for p in parameters if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)]
    required = sum(p.default is kinds.empty for p in named)
    optional = sum(p.default is None for p in named)
    if takes_any_number(subject):
        only = inputs_named(subject.make())
        if only is not None and only > required:
            return (only,), ()
        fewest = max(required, 1)
        return (fewest, fewest + 1, fewest + 2, fewest + 4), (fewest + 3, fewest + 5)
    if not named:
        raise MalformedOp(f"{subject.name}.forward takes no inputs; it needs at least one Variable")
    return tuple(range(max(required, 1), max(required + optional, 1) + 1)), ()


def takes_any_number(subject: Subject) -> bool:
    """Whether `forward` is written for `*variables`."""
    parameters = inspect.signature(subject.make().forward).parameters.values()
    return any(p.kind is p.VAR_POSITIONAL for p in parameters)


def numbers_of(subject: Subject) -> tuple[float, ...]:
    """Give the numbers that the op's author wrote, and those that it was made with."""
    held = [v for v in state_of(subject.make()).values() if isinstance(v, int | float) and not isinstance(v, bool)]
    return tuple({*constants(subject), *(float(v) for v in held if abs(v) <= MOST_HELD)})


def constants(subject: Subject) -> tuple[float, ...]:
    """Give the numbers that the op's author wrote: thresholds are among them."""
    codes = [f.__code__ for f in vars(subject.kind).values() if inspect.isfunction(f)]
    found: set[float] = {v for v in state_of(subject.make()).values() if isinstance(v, float)}
    while codes:
        for constant in codes.pop().co_consts:
            if inspect.iscode(constant):
                codes.append(constant)
            elif isinstance(constant, int | float) and not isinstance(constant, bool):
                found.add(float(constant))
    return tuple(sorted((c for c in found if 1e-3 <= abs(c) <= 1e3), key=abs))[:MOST_CONSTANTS]


def input_names(subject: Subject, arity: int) -> tuple[str, ...]:
    """Name the inputs as `forward` does; ``x0, x1, ...`` for `*variables`."""
    names = _parameter_names(subject.kind.forward)[:arity]
    return names + tuple(f"x{i}" for i in range(len(names), arity))


@cache
def _parameter_names(forward: Callable[..., Any]) -> tuple[str, ...]:
    _, *parameters = inspect.signature(forward).parameters.values()
    return tuple(p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD))


def check_backward_takes(subject: Subject, arity: int) -> None:
    """Raise MalformedOp if `backward` cannot be called with `arity` inputs and a cotangent."""
    why = refusal(subject.make(), arity)
    if why:
        names = ", ".join((*input_names(subject, arity), "grad"))
        raise MalformedOp(f"{subject.name}.backward cannot be called with ({names}): {why}. "
                          "It takes what forward takes, and the output's gradient last")  # fmt: skip
