"""What a project's own `features.py` and `training.py` can do: they stay as they are when it is updated.

In a project made from this version they can do all of it, see `test_features.py` and `test_training.py`.
"""

from dataclasses import fields

import pytest

from player import training
from player.features import Schema

LEAVES_OUT = "left_out" in {field.name for field in fields(Schema)}  # read_schema: what nothing can be learned from
FITS = hasattr(training, "fitting")  # train: `player.learning.fitting` fits, and says in a sentence what is wrong

leaves_out = pytest.mark.skipif(not LEAVES_OUT, reason="the project's own, older features.py learns from any column")
