"""The examples in the docstrings of the player and the customer print what they say."""

import doctest
import importlib

import pytest
from conftest import PROJECT

FILES = [path for room in ("player", "customer") for path in sorted((PROJECT / room).rglob("*.py"))]
MODULES = [
    ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")
    for path in FILES
    if ">>>" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_hold(name: str) -> None:
    """Each `>>>` line gives the result below it."""
    results = doctest.testmod(importlib.import_module(name))

    assert results.attempted > 0 == results.failed
