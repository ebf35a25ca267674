"""Does the time of `player train` grow with the rows, however many distinct texts a column holds?

Trains on tables of two sizes with a column of texts that are all different, each run in a process of its own, in turn;
prints the median seconds for each row and their ratio, then the same for texts of which each occurs four times. Run it
with the path of a generated project in which `make test` has run:

    .venv/bin/python benchmarks/training.py scratch/my-player --rows 100000 1000000
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd


def make_table(target: Path, rows: int, times: int) -> None:
    """Write *rows* rows into the Parquet file *target*; each text of the column `who` occurs *times* times."""
    rng = np.random.default_rng(2026)
    income = rng.normal(30_000, 8_000, rows).round()
    table = pd.DataFrame({"income": income, "who": [f"person {number // times:07d}" for number in range(rows)]})
    table["repaid"] = (income + rng.normal(0, 8_000, rows) > 30_000).astype(int)
    table.sample(frac=1, random_state=2026).to_parquet(target, index=False)


def run(project: Path, python: str, table: Path) -> float:
    """Return how many seconds `player train` takes to learn from *table*."""
    command = [python, "-m", "player.cli", "-e", "testing", "train", "--data", str(table)]
    began = time.perf_counter()
    done = subprocess.run(command, cwd=project, env={**os.environ, "PYTHONPATH": str(project)}, capture_output=True,
                          text=True, check=False)  # fmt: skip
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with exit code {done.returncode}:\n{done.stderr}")
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=lambda text: Path(text).resolve())
    parser.add_argument("--python", default=None, help="The project's Python, when it is not the one in .venv.")
    parser.add_argument("--rows", type=int, nargs=2, default=[100_000, 1_000_000])
    parser.add_argument("--times", type=int, nargs="*", default=[1, 4], help="How often each text occurs.")
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args()
    python = options.python or str(options.project / ".venv" / "bin" / "python")
    with tempfile.TemporaryDirectory() as folder:
        for times in options.times:
            tables = {rows: Path(folder, f"{rows}-{times}.parquet") for rows in options.rows}
            for rows, table in tables.items():
                make_table(table, rows, times)
            pairs = [[run(options.project, python, table) / rows for rows, table in tables.items()]
                     for _ in range(options.pairs)]  # fmt: skip
            for place, rows in enumerate(options.rows):
                each = statistics.median(pair[place] for pair in pairs)
                sys.stdout.write(f"{rows // times:>9,} distinct texts in {rows:>9,} rows: {1e6 * each:6.1f} us a row\n")
            ratio = statistics.median(pair[1] / pair[0] for pair in pairs)
            sys.stdout.write(f"a row of the larger table takes {ratio:.2f} times as long\n")


if __name__ == "__main__":
    main()
