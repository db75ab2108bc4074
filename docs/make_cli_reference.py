"""``python docs/make_cli_reference.py``: write docs/reference/cli.md from the commands themselves."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_type_hints

from typer.models import OptionInfo

from adverify.cli import app
from adverify.cli.exit_codes import ExitCode

PAGE = Path(__file__).parent / "reference" / "cli.md"

HEAD = """# The command line

<!-- Written by docs/make_cli_reference.py from adverify/cli. -->

`adverify COMMAND`, or `python -m adverify COMMAND`. `adverify --help` and `adverify COMMAND --help` say the same as
this page; `adverify --version` prints the version; `adverify --install-completion` makes the shell complete commands,
options and names.

## Targets

| target | what is meant |
| --- | --- |
| `mypackage.ops` | every op that a module defines; of a package, also those of all modules below it |
| `path/to/ops.py` | the same, by the file's path |
| `mypackage.ops:MyOp`, `path/to/ops.py:MyOp` | one class, or one instance |

Modules are looked for in the current directory, in the project's root (the nearest directory above with a
`pyproject.toml`), in `src` below either, and where Python looks. A file that belongs to a package is imported as a part
of it, so relative imports work; another file is imported as if it were run, with its directory on the path. An op is a
subclass of `adverify.Function` with `forward` and `backward` whose name starts with no underscore. Hints (`arguments`,
`signature`, `domain`) are taken from the class.

## Processes

Each op is checked in a process other than the command's: what is printed there is dropped, a hanging call is stopped
after the time limit, and an op that ends its process (a segmentation fault, `os._exit`, memory that runs out) is
reported as crashed, with the line where it was if that is known; all others go on. Linear algebra keeps to one thread
in each.

## What is stored

Everything is in `.adverify/` in the project's root, and nothing is written elsewhere (but what `--output` names):
`failures/` and `runs/` hold a JSON document each, `examples/` is Hypothesis's. The directory can be deleted at any
time, and ignores itself in Git. What cannot be stored is said in a warning, and changes no verdict.

"""
CODES = {
    ExitCode.VERIFIED: "all is well: every op is verified; nothing failed; the command did what it says",
    ExitCode.WRONG: "an op is wrong, or crashed, whatever the others are",
    ExitCode.USAGE: "the command is wrong, or what it names: no such module, class or run, or no op in it",
    ExitCode.UNDECIDED: "nothing is wrong, but too little could be decided about an op to call it verified",
    ExitCode.INTERRUPTED: "`check` was interrupted with Ctrl-C before something was found wrong",
}


def rendered() -> str:
    """Give the page."""
    codes = [f"| {code.value} | {CODES[code]} |" for code in ExitCode]
    lines = ["## Exit codes", "", "| code | |", "| --- | --- |", *codes]
    for command in app.registered_commands:
        lines += ["", f"## `adverify {command.name}`", "", inspect.cleandoc(command.callback.__doc__ or ""), ""]
        lines += ["| argument or option | default | |", "| --- | --- | --- |", *_rows(command.callback)]
    return HEAD + "\n".join(lines) + "\n"


def _rows(command: Callable[..., Any]) -> Iterator[str]:
    hints = get_type_hints(command, include_extras=True)
    for parameter in inspect.signature(command).parameters.values():
        kind, declared = get_args(hints[parameter.name])
        names = [n for n in (declared.default, *(declared.param_decls or ())) if str(n).startswith("-")]
        value = f" {declared.metavar or _value(kind)}" if isinstance(declared, OptionInfo) and kind is not bool else ""
        default = declared.show_default if isinstance(declared.show_default, str) else _default(parameter.default)
        shown = ", ".join(f"`{name}{value}`" for name in sorted(names or [declared.metavar], key=len))
        yield f"| {shown} | {default} | {declared.help or ''} |"


def _value(kind: Any) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "\\|".join(kind)
    return "NUMBER"


def _default(value: Any) -> str:
    return "" if value in (None, False, "") else f"`{getattr(value, 'value', value)}`"


if __name__ == "__main__":
    PAGE.write_text(rendered())
