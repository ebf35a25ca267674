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

    What stays: types, which are no behaviour; numbers with a name of their own, like `BINS = 10`, which are a choice
    that a test could only repeat; and large numbers, because nobody minds 4097 in the place of 4096.
    """
    source = (PROJECT / path).read_text(encoding="utf-8")
    fixed, nodes = list(find_fixed(source)), list(ast_nodes(get_ast(source)))
    found: dict[tuple[int, int], list[Way]] = defaultdict(list)
    for operator in OPERATORS:
        spots = [(node, start) for node in nodes for start, _ in operator.mutation_positions(node)]
        for number, (node, start) in enumerate(spots):
            if can_change(node) and not any(first <= start < last for first, last in fixed):
                found[start].append((operator, number))
    return [found[start] for start in sorted(found)]


def can_change(node: Any) -> bool:
    """Tell whether *node* is neither a large number nor `except module.Error`, which Cosmic Ray makes nonsense of."""
    if is_number(node):
        return bool(ast.literal_eval(node.value) <= 100)
    return node.type != "except_clause" or "." not in node.get_code()


def find_fixed(source: str) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yield where each annotation and each number with a name begins and ends: line and column."""
    tree = ast.parse(source)
    fixed = [getattr(node, name, None) for node in ast.walk(tree) for name in ("annotation", "returns")]
    fixed += [node.value for node in tree.body if isinstance(node, ast.Assign) and names_numbers(node)]
    for each in filter(None, fixed):
        yield (each.lineno, each.col_offset), (each.end_lineno, each.end_col_offset)


def names_numbers(node: ast.Assign) -> bool:
    """Tell whether *node* gives a name in capitals to a number or to several."""
    values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
    numbers = all(isinstance(value, ast.Constant) and isinstance(value.value, int | float) for value in values)
    return numbers and all(isinstance(name, ast.Name) and name.id.isupper() for name in node.targets)


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
