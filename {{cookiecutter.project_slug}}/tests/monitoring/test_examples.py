"""The examples in the docstrings of monitoring and dashboard print what they say."""

import doctest
import importlib
import pkgutil

import pytest

from player import monitoring
from player.web import dashboard

MODULES = [
    f"{room.__name__}.{module.name}"
    for room in (monitoring, dashboard)
    for module in pkgutil.iter_modules(room.__path__)
]


@pytest.mark.parametrize("name", ["player.monitoring", *MODULES])
def test_the_examples_of_a_module_hold(name: str) -> None:
    """Each `>>>` line gives the result below it."""
    results = doctest.testmod(importlib.import_module(name))

    assert results.failed == 0
