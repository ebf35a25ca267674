"""What the documents tell a person to type, and where they send one."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:player|customer|make|curl) [^`]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)\)")


@dataclass(frozen=True)
class Block:
    """One block of commands: the document it stands in, and its lines without remarks."""

    document: str
    lines: tuple[str, ...]


def documents() -> list[Path]:
    """Return every document of the project."""
    return [
        PROJECT / "README.md",
        *sorted((PROJECT / "docs").glob("*.md")),
        *sorted((PROJECT / "server").rglob("README.md")),
    ]


def blocks() -> list[Block]:
    """Return every block of commands, in the order of reading."""
    found = []
    for path in documents():
        for language, content in BLOCK.findall(path.read_text(encoding="utf-8")):
            if language:
                continue  # a piece of a program
            lines = content.replace("\\\n", " ").splitlines()
            found.append(Block(path.relative_to(PROJECT).as_posix(), tuple(filter(None, map(command_of, lines)))))
    return found


def inline(path: Path) -> tuple[str, ...]:
    """Return the commands that stand within the sentences of a document."""
    return tuple(INLINE.findall(path.read_text(encoding="utf-8")))


def command_of(line: str) -> str:
    """Return the command in a line: what stands before a remark, which begins with # or after two blanks.

    >>> command_of("player serve                   # answers"), command_of("player x y  says what")
    ('player serve', 'player x y')
    """
    return re.split(r"\s#\s|^#|\s{2,}(?=\S)", line.strip())[0].strip()


def words_of(line: str) -> list[str]:
    """Return the words of a command, without the variables set before it."""
    words = shlex.split(line)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words.pop(0)
    return words


def links(path: Path) -> list[str]:
    """Return the places that a document links to, but for those on the web."""
    return [link for link in LINK.findall(path.read_text(encoding="utf-8")) if "://" not in link]
