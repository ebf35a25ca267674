"""Packs the project for the server, without what was made here: the same files give the same bytes.

python3 server/workshop/pack.py project.tar
"""

import io
import sys
import tarfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
MADE_HERE = {".git", ".venv", ".tox", ".cache", ".pytest_cache", ".hypothesis", ".ipynb_checkpoints", "__pycache__"}
MADE_HERE |= {"build", "keys", ".env", "models", "output"}  # keys and models are everybody's own
MADE_HERE |= {"participants.csv"}  # who else comes
KEPT = ("models/.gitkeep", "output/.gitkeep")
SUFFIXES = {".key", ".db", ".egg-info"}


def is_packed(path: Path) -> bool:
    """Tell whether a file, given by its path in the project, belongs to what a participant gets."""
    if path.as_posix() in KEPT:
        return True
    return not MADE_HERE & set(path.parts) and not any(Path(part).suffix in SUFFIXES for part in path.parts)


def pack(folder: Path, target: Path) -> None:
    """Write the project in *folder* into the archive *target*; times and owners are left out."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
            name = path.relative_to(folder)
            if is_packed(name):
                member = tarfile.TarInfo(name.as_posix())
                member.size, member.mode = path.stat().st_size, 0o755 if path.stat().st_mode & 0o100 else 0o644
                with path.open("rb") as file:
                    archive.addfile(member, file)
    if not target.exists() or target.read_bytes() != content.getvalue():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.getvalue())
        print("packed")


if __name__ == "__main__":
    pack(PROJECT, Path(sys.argv[1]))
