"""What the three questions of the CIA rating change in what is generated."""

import filecmp
import tomllib
from pathlib import Path

from conftest import Bake

CONCERNS = ("confidentiality", "integrity", "availability")


def test_two_ratings_differ_in_one_table_and_one_sentence(bake: Bake, tmp_path: Path) -> None:
    """All files are the same but those that name the levels; what a level means stands in every project."""
    low, high = (bake(tmp_path / level, **dict.fromkeys(CONCERNS, level)) for level in ("low", "high"))
    names = sorted(path.relative_to(low).as_posix() for path in low.rglob("*") if path.is_file())
    differ = [name for name in names if not filecmp.cmp(low / name, high / name, shallow=False)]

    assert differ == ["README.md", "config/base.toml"]
    base = [tomllib.loads((project / "config" / "base.toml").read_text(encoding="utf-8")) for project in (low, high)]
    assert [table.pop("rating") for table in base] == [dict.fromkeys(CONCERNS, level) for level in ("low", "high")]
    assert base[0] == base[1]
    lines = [(project / "README.md").read_text(encoding="utf-8").splitlines() for project in (low, high)]
    changed = [line for pair in zip(*lines, strict=True) for line in pair if pair[0] != pair[1]]
    assert all("confidentiality" in line or "availability" in line for line in changed)
    assert len(changed) == 4
