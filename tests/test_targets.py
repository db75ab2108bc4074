"""What a person may type for a target, from wherever, and what is said if it cannot be had."""

import os
from pathlib import Path

import pytest

from adverify.runner import Processes
from adverify.targets import Target, TargetError, ops_of, parse

OP = """
from adverify import Function, variable

class {name}(Function):
    def forward(self, x):
        return variable(2 * x.data)

    def backward(self, x, grad):
        x.grad += 2 * grad
"""


def said_of(target):
    """Give the names of the ops of a target, or what is said if there are none; asked in another process."""
    try:
        return [f"{op.module}:{op.name}" for op in ops_of(target)]
    except TargetError as error:
        return str(error)


@pytest.fixture(scope="module")
def processes():
    with Processes(1) as running:
        yield running


@pytest.fixture
def said(processes):
    """Give a function that reads a target and imports it."""

    def ask(text, root="."):
        try:
            target = parse(text, Path.cwd(), Path(root).absolute())
        except TargetError as error:
            return str(error)
        ((_, answer),) = processes.run(said_of, [target])
        return answer

    return ask


def write(path, content=""):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_module_a_file_and_a_class_in_either(said):
    write("plain_ops.py", OP.format(name="Double") + OP.format(name="_Hidden") + OP.format(name="Twice"))
    assert said("plain_ops") == ["plain_ops:Double", "plain_ops:Twice"]
    assert said("plain_ops.py") == ["plain_ops:Double", "plain_ops:Twice"]
    assert said("./plain_ops.py:Twice") == ["plain_ops:Twice"]
    assert said("plain_ops:Double") == ["plain_ops:Double"]
    assert said("plain_ops:_Hidden") == ["plain_ops:_Hidden"]


def test_a_package_with_relative_imports_and_all_below_it(said):
    write("far/away/pack_a/__init__.py", "from .base import Double")
    write("far/away/pack_a/base.py", OP.format(name="Double"))
    write("far/away/pack_a/inner/__init__.py")
    write("far/away/pack_a/inner/ops.py", "from ..base import Double\n" + OP.format(name="Inner"))
    write("far/away/pack_a/__main__.py", "raise SystemExit('a program, not a module')")
    assert said("far/away/pack_a/inner/ops.py") == ["pack_a.inner.ops:Inner"]
    assert said("far/away/pack_a") == ["pack_a.base:Double", "pack_a.inner.ops:Inner"]
    assert said("far/away/pack_a/__init__.py:Double") == ["pack_a:Double"]


def test_a_src_layout_a_namespace_package_and_a_root_above(said, monkeypatch):
    write("src/pack_b/__init__.py")
    write("src/pack_b/ops.py", OP.format(name="Double"))
    write("space_c/part/ops.py", "from .other import HALF\n" + OP.format(name="Half"))
    write("space_c/part/other.py", "HALF = 0.5")
    write("below/x.txt")
    assert said("pack_b") == ["pack_b.ops:Double"]
    assert said("src/pack_b/ops.py:Double") == ["pack_b.ops:Double"]
    assert said("space_c") == ["space_c.part.ops:Half"]
    assert said("space_c/part/ops.py") == ["space_c.part.ops:Half"]
    root = os.getcwd()
    monkeypatch.chdir("below")
    assert said("pack_b:ops", root).endswith("it is a module")
    assert said("../src/pack_b/ops.py", root) == ["pack_b.ops:Double"]


def test_a_file_that_imports_its_neighbours(said):
    write("folder_d/ops_d.py", "from neighbour_d import FACTOR\n" + OP.format(name="Double"))
    write("folder_d/neighbour_d.py", "FACTOR = 2")
    assert said("folder_d/ops_d.py") == ["ops_d:Double"]


def test_an_instance_and_a_class_that_a_function_makes(said):
    made = "\ndef make():\n" + "\n".join(f"    {line}" for line in OP.format(name="Made").splitlines())
    write("made_e.py", made + "\n    return Made\nFirst = make()\nSecond = Alias = make()\nthird = First()\n")
    assert said("made_e.py") == ["made_e:First", "made_e:Second"]
    assert said("made_e:third") == ["made_e:third"]


@pytest.mark.parametrize(
    ("module", "content", "expected"),
    [
        ("fails_f", "import os\nimport no_such_thing\n", "fails_f.py:2: import no_such_thing: ModuleNotFoundError"),
        ("fails_g", "def f():\n    return 1 / 0\nf()\n", "fails_g.py:2: return 1 / 0: ZeroDivisionError"),
        ("fails_h", "def (:\n", "fails_h.py:1: SyntaxError: "),
        ("fails_i", "import numpy as np\n\nnp.zeros(-1)\n", "fails_i.py:3: np.zeros(-1): ValueError: negative"),
        ("fails_j", "import sys\nsys.exit('no')\n", "fails_j.py:2: sys.exit('no'): SystemExit: no"),
    ],
)
def test_a_module_that_cannot_be_imported_is_told_with_the_line(said, module, content, expected):
    write(f"{module}.py", content)
    for target in (module, f"{module}.py"):
        assert f"{target} cannot be imported: " in said(target)
        assert expected in said(target)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("near_k:Doubl", "near_k has no 'Doubl'; did you mean Double?"),
        ("near_k.py:Zzz", "near_k.py has no 'Zzz'; its ops are Double"),
        ("near_k:Double.Inner", "near_k has no 'Inner'; its ops are none"),
        ("near_k:np", "near_k:np is no op: expected a subclass of adverify.Function, or an instance of one; it is a"),
        ("near_kk", "there is no module 'near_kk'; did you mean near_k?"),
        ("nowhere.at.all", "there is no module 'nowhere'; is it installed, or below the current directory?"),
        ("near_kk.py", "near_kk.py; there is near_k.py"),
        ("", "is no target: expected a module such as 'package.ops', a file such as"),
        ("a-b", "'a-b' is no target: expected a module such as 'package.ops', a file such as"),
        ("noops", "noops defines no ops, and a check that tried nothing fails"),
        ("noops.py", "with forward and backward; Halved is not"),
        (".", "is a directory, and no package (it has no __init__.py): name a file in it, such as "),
        ("text.txt/", "text.txt is no Python file"),
        ("json.py", "has the name of Python's own module 'json'"),
        ("json", "has the name of Python's own module 'json'"),
        ("numpy.py", "numpy.py is imported as 'numpy', and so is "),
        ("1st.py", "cannot be imported: '1st' is no Python name; rename it"),
    ],
)
def test_what_cannot_be_had_is_said(said, messy, monkeypatch, target, expected):
    monkeypatch.chdir(messy)
    assert expected in said(target)


@pytest.fixture(scope="module")
def messy(tmp_path_factory):
    place = tmp_path_factory.mktemp("messy")
    write(place / "near_k.py", "import numpy as np\n" + OP.format(name="Double"))
    write(place / "noops.py", "from adverify import Function\nclass Halved(Function):\n    def forward(self, x): ...\n")
    for name in ("json.py", "numpy.py", "1st.py", "text.txt"):
        write(place / name)
    return place


def test_a_target_is_written_as_it_can_be_typed(tmp_path):
    write("typed/ops.py", "")
    assert str(parse("typed/ops.py:MyOp", tmp_path)) == "typed/ops.py:MyOp"
    assert str(parse("package.ops:MyOp", tmp_path)) == "package.ops:MyOp"
    assert parse("package.ops:Outer.Inner", tmp_path) == Target("package.ops", "Outer.Inner", (str(tmp_path),))
