"""What a project says of its ops once and for all: ``[tool.adverify]`` in its pyproject.toml."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

PROFILES = {"fast": 30, "default": 100, "nightly": 1000}
"""How many examples are drawn for an op."""


class ConfigError(Exception):
    """A setting is not what it must be; the message names the file, the key, and what was expected."""


@dataclass(frozen=True)
class Config:
    """The settings of a project.

    Attributes
    ----------
    targets : tuple of str
        The ops that are checked where none are named: modules, packages, files, or classes in them.
    exclude : tuple of str
        Properties that are asked of none.
    skip, xfail : mapping of str to str
        Ops, ``"package.ops:MyOp"`` or ``"MyOp"``, or properties of one, ``"MyOp::gradient"``, that are not checked,
        or are known to be wrong; each with the reason.
    profile : str
        ``"fast"``, ``"default"`` or ``"nightly"``.
    max_examples : int, optional
        How many examples are drawn for an op, whatever the profile says.
    seed : int, optional
        Makes runs repeatable.
    time_limit : float
        Seconds that one call of an op may take.
    """

    targets: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    skip: Mapping[str, str] = field(default_factory=dict)
    xfail: Mapping[str, str] = field(default_factory=dict)
    profile: str = "default"
    max_examples: int | None = None
    seed: int | None = None
    time_limit: float = 5.0

    @property
    def examples(self) -> int:
        """How many examples are drawn for an op."""
        return PROFILES[self.profile] if self.max_examples is None else self.max_examples


def read(root: Path) -> Config:
    """Read the settings of the project in a directory; the defaults if it has none.

    Raises
    ------
    ConfigError

    Examples
    --------
    >>> read(Path("/nowhere")).profile
    'default'
    """
    path = root / "pyproject.toml"
    if not path.is_file():
        return Config()
    try:
        table = tomllib.loads(path.read_text("utf-8")).get("tool", {}).get("adverify", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    return parse(table, str(path))


def parse(table: Any, where: str) -> Config:
    """Make settings of a table; `where` it was found is named in errors.

    Raises
    ------
    ConfigError
        If it has a key that means nothing, or a value of another kind than its key asks for.
    """
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: [tool.adverify] must be a table; got {table!r}")
    known = [f.name for f in fields(Config)]
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise ConfigError(f"{where}: [tool.adverify] has no key {key!r}; {hint}")
    return Config(**{key: _value(key, given, f"{where}: [tool.adverify] {key}") for key, given in table.items()})


def _value(key: str, given: Any, where: str) -> Any:
    if key in ("targets", "exclude"):
        if not isinstance(given, list) or not all(isinstance(g, str) for g in given):
            raise ConfigError(f'{where} must be a list of strings, such as ["package.ops"]; got {given!r}')
        return tuple(given)
    if key in ("skip", "xfail"):
        if not isinstance(given, dict) or not all(isinstance(g, str) and g for g in given.values()):
            raise ConfigError(f'{where} must give a reason for each op, such as "MyOp" = "why"; got {given!r}')
        return given
    if key == "profile":
        if given not in PROFILES:
            raise ConfigError(f"{where} must be one of {', '.join(PROFILES)}; got {given!r}")
        return given
    number = isinstance(given, int | float) and not isinstance(given, bool)
    if key == "time_limit":
        if not number or not given > 0:
            raise ConfigError(f"{where} must be a positive number of seconds; got {given!r}")
        return float(given)
    least = 1 if key == "max_examples" else 0
    if not number or isinstance(given, float) or given < least:
        raise ConfigError(f"{where} must be a whole number, {least} or more; got {given!r}")
    return given
