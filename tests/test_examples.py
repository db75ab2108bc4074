"""The examples run, and reach what they say."""

import importlib.util
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def example(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_small_network_learns_to_read_digits():
    pytest.importorskip("sklearn")
    before, after = example("digits").main(steps=120)
    assert before < 0.3
    assert after > 0.9


def test_a_gaussian_process_finds_the_noise_of_its_data():
    before, after, noise, error = example("gaussian_process").main(steps=30)
    assert after > before + 5
    assert 0.15 < noise < 0.25
    assert error < 0.15
