"""How strong the tests are: the code is changed in one place at a time, and a test should notice.

A wing is a folder of player/, a module of its ground floor, or the customer. The tests of the same name judge it:
those in tests/WING/, for a module of the ground floor those right in tests/. All of it happens in copies.
"""

import argparse
import random
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from judge import Judge, find_tests
from mutants import PROJECT, Mutant, sample


def main() -> int:
    """Change the places drawn by lot; print what nobody noticed, and the score of each wing."""
    known = find_wings()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wings", nargs="*", metavar="WING", help=f"which wings, default all: {', '.join(known)}")
    parser.add_argument("--seed", type=int, default=1, help="another number, other places (default: %(default)s)")
    parser.add_argument("--each", type=int, default=5, help="how many places in each wing (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="how many run side by side (default: %(default)s)")
    parser.add_argument("--least", type=int, default=0, help="exit code 1 when a wing has a lower score, in percent")
    options = parser.parse_args()
    if strange := sorted(set(options.wings) - set(known)):
        parser.error(f"there is no wing {', '.join(strange)}; there are {', '.join(known)}")
    wings = {
        wing: sample(known[wing], options.each, random.Random(f"{options.seed} {wing}"))
        for wing in options.wings or known
    }
    wings = {wing: found for wing, found in wings.items() if found}  # where nothing can be changed nothing is tested
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            scores = play(wings, Judge(Path(folder), options.jobs), options.jobs)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    for wing, score in scores.items():
        print(f"{wing:<16} {score:>4.0f} % of {len(wings[wing])} noticed")
    return int(min(scores.values(), default=100) < options.least)


def find_wings() -> dict[str, list[Path]]:
    """Return the files of each wing, as seen from the project.

    Not migrations, which stay as they once ran, and not `spark.py`, which only `tox -e spark` tests.
    """
    wings = defaultdict(list)
    for path in sorted(path.relative_to(PROJECT) for path in (PROJECT / "player").rglob("*.py")):
        if not {"migrations", "spark.py"} & set(path.parts) and path.parts != ("player", "__init__.py"):
            wings[path.with_suffix("").parts[1]].append(path)
    return {**wings, "customer": sorted(path.relative_to(PROJECT) for path in (PROJECT / "customer").rglob("*.py"))}


def play(wings: dict[str, list[Mutant]], judge: Judge, jobs: int) -> dict[str, float]:
    """Judge the mutants of each wing; print what nobody noticed, and return the scores in percent."""
    pool, scores = ThreadPoolExecutor(jobs), {}
    try:
        list(pool.map(judge.measure, dict.fromkeys(map(find_tests, wings))))
        answers = {wing: [pool.submit(judge.notices, wing, each) for each in found] for wing, found in wings.items()}
        for wing, found in wings.items():
            missed = [each for each, noticed in zip(found, answers[wing], strict=True) if not noticed.result()]
            for each in missed:
                print(f"{each}\n", flush=True)
            scores[wing] = 100 * (1 - len(missed) / len(found))
    finally:  # also when somebody presses Ctrl-C
        pool.shutdown(cancel_futures=True)
    return scores


if __name__ == "__main__":
    sys.exit(main())
