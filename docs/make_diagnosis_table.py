"""Write docs/reference/diagnoses.md from the classes in adverify/diagnosis: ``python docs/make_diagnosis_table.py``."""

from __future__ import annotations

from pathlib import Path

from adverify.diagnosis.base import Description, descriptions

PAGE = Path(__file__).parent / "reference" / "diagnoses.md"

OPENING = """\
# Diagnoses

<!-- Written by docs/make_diagnosis_table.py from adverify/diagnosis. -->

A failure carries `Failure.diagnoses`, a tuple of `Diagnosis(kind, text)`: what kind of mistake explains the numbers,
the simplest first. `text` is a sentence for people; `kind` is stable, and `adverify explain sign` says what it means.
Each was verified before it is given: applied to the gradients that backward gives, at the falsifying example and at
other inputs of the same op, with other values, shapes and cotangents, it yields the expected ones within the error bar.
What holds for some of these inputs only is said of those. Where nothing fits, nothing is said.

| kind | what is wrong |
| --- | --- |
"""

IMPORTS = """\
Below are ops that make these mistakes. They begin with:

```python
import numpy as np

from adverify import Function, variable
```

"""


def render() -> str:
    """Give the page."""
    found = descriptions()
    rows = [f"| `{kind}` | {said.text} |" for kind, said in found.items()]
    return (
        OPENING + "\n".join(rows) + "\n\n" + IMPORTS + "\n".join(_section(kind, said) for kind, said in found.items())
    )


def _section(kind: str, said: Description) -> str:
    """Say of a kind what is wrong, and show ops of which it is said."""
    code = "\n\n".join(said.examples)
    where = ", ".join(f"`{name}`" for name in said.properties)
    return f"## {kind}\n\n{said.text} It may explain a failure of {where}.\n\n```python\n{code}```\n"


if __name__ == "__main__":
    PAGE.write_text(render())
