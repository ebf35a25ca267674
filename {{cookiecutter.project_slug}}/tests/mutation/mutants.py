"""Small changes of the code, made by Cosmic Ray and drawn by lot; those that nobody can notice are left out."""

import ast
import random
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast, is_number
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

PROJECT = Path(__file__).parents[2]
EQUIVALENT = Path(__file__).with_name("equivalent.toml")
OPERATORS = [get_operator(name)() for name in operator_names() if not get_operator(name).arguments()]

Way = tuple[Any, int]  # an operator of Cosmic Ray, and at which of the places that it finds


@dataclass(frozen=True)
class Mutant:
    """One change: what differs, as it *was* and as it *became*, on one line; *code* is the whole file."""

    path: Path  # as seen from the project
    line: int
    was: str
    became: str
    code: str

    def __str__(self) -> str:
        """Return where it is and what it changes."""
        return f"{self.path.as_posix()}:{self.line}\n    was     {self.was}\n    became  {self.became}"


def sample(paths: list[Path], count: int, chance: random.Random) -> list[Mutant]:
    """Return mutants of *count* places of these files, fewer when there are fewer places, one for each place."""
    places = [(path, ways) for path in paths for ways in find_places(path)]
    named = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))["mutant"]
    skipped = {(each["was"], each["became"], each.get("path")) for each in named}
    found: list[Mutant] = []
    for path, ways in chance.sample(places, len(places)):
        mutant = mutate(path, *chance.choice(ways))
        if mutant and not skipped & {(mutant.was, mutant.became, where) for where in (None, path.as_posix())}:
            found.append(mutant)
        if len(found) == count:
            break
    return found


def find_places(path: Path) -> list[list[Way]]:
    """Return for each place of a file the ways to change it.

    What stays: types, which are no behaviour, and large numbers, because nobody minds 4097 in the place of 4096.
    """
    source = (PROJECT / path).read_text(encoding="utf-8")
    types, nodes = list(find_types(source)), list(ast_nodes(get_ast(source)))
    found: dict[tuple[int, int], list[Way]] = defaultdict(list)
    for operator in OPERATORS:
        spots = [(node, start) for node in nodes for start, _ in operator.mutation_positions(node)]
        for number, (node, start) in enumerate(spots):
            if not is_large(node) and not any(first <= start < last for first, last in types):
                found[start].append((operator, number))
    return [found[start] for start in sorted(found)]


def is_large(node: Any) -> bool:
    """Tell whether *node* is a number of which one is less than a hundredth."""
    return is_number(node) and ast.literal_eval(node.value) > 100


def find_types(source: str) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yield where each annotation begins and ends: line and column."""
    for node in ast.walk(ast.parse(source)):
        for name in ("annotation", "returns"):
            if each := getattr(node, name, None):
                yield (each.lineno, each.col_offset), (each.end_lineno, each.end_col_offset)


def mutate(path: Path, operator: Any, number: int) -> Mutant | None:
    """Return one mutant, or None when nothing changes."""
    before = (PROJECT / path).read_text(encoding="utf-8")
    after = mutate_code(before, operator, number) or before
    then, now = before.splitlines(), after.splitlines()
    for kind, first, last, start, end in SequenceMatcher(None, then, now, autojunk=False).get_opcodes():
        if kind != "equal":
            was, became = (
                " ".join(line.strip() for line in part if line) for part in (then[first:last], now[start:end])
            )
            return Mutant(path, first + 1, was, became, after)
    return None
