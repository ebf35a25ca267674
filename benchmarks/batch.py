"""How many rows does `player batch` score in a second, against chunks of pandas and `predict_proba`?

Both score the same Parquet file, made from the training data, in turn and each in a process of its own. The other one
reads, predicts and writes chunks of the same size and nothing else: no repair, no warnings, no fallback, no record of
the run. Prints the median of each, the median ratio of the pairs, and for each the highest memory (RSS) until 10 %,
50 % and 100 % of its time. Run it with the path of a generated project in which `make test` and `.venv/bin/player
train` have run:

    .venv/bin/python benchmarks/batch.py scratch/my-player --rows 10000000
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pyarrow.csv  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

CHUNKS = """
import sys
import pyarrow as pa
import pyarrow.parquet as pq
from player.config import load_settings
from player.model import loading, store

settings = load_settings()
model = loading.load(store.current_manifest(settings).version, settings)
file, writer = pq.ParquetFile(sys.argv[1]), None
for batch in file.iter_batches(100_000):
    table = batch.to_pandas()
    table["proba"] = model.pipeline.predict_proba(table[model.schema.names])[:, 1]
    table["pred"] = (table["proba"] > 0.5).astype(int)
    scored = pa.Table.from_pandas(table, preserve_index=False)
    writer = writer or pq.ParquetWriter(sys.argv[2], scored.schema)
    writer.write_table(scored)
writer.close()
"""


def make_rows(project: Path, target: Path, rows: int) -> None:
    """Write *rows* rows into the Parquet file *target*: the training data, again and again."""
    table = pyarrow.csv.read_csv(project / "data" / "train_data.csv").drop_columns(["repaid", "applied_on"])
    with pq.ParquetWriter(target, table.schema) as writer:
        for begin in range(0, rows, len(table)):
            writer.write_table(table.slice(0, rows - begin))


def run(command: list[str], project: Path) -> tuple[float, list[float]]:
    """Run *command* in *project*; return its seconds, and the highest MB until 10 %, 50 % and 100 % of them."""
    begin = time.perf_counter()
    process = psutil.Popen(command, cwd=project, env={**os.environ, "PYTHONPATH": str(project)},
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    megabytes = []
    while process.poll() is None:
        megabytes.append(process.memory_info().rss / 1e6 if process.status() != psutil.STATUS_ZOMBIE else 0.0)
        time.sleep(0.05)
    took = time.perf_counter() - begin
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with exit code {process.returncode}")
    megabytes = [value for value in megabytes if value]
    last = len(megabytes) - 1
    return took, [max(megabytes[: round(last * share) + 1]) for share in (0.1, 0.5, 1.0)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=lambda text: Path(text).resolve())
    parser.add_argument("--python", default=None, help="The project's Python, when it is not the one in .venv.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args()
    python = options.python or str(options.project / ".venv" / "bin" / "python")
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in.parquet"), str(Path(folder, "out.parquet"))
        make_rows(options.project, source, options.rows)
        commands = {
            "chunks of pandas": [python, "-c", CHUNKS, str(source), target],
            "player batch": [python, "-m", "player.cli", "batch", "--again", str(source), target],
        }
        pairs = [{name: run(command, options.project) for name, command in commands.items()}
                 for _ in range(options.pairs)]  # fmt: skip
    for name in commands:
        rate = statistics.median(options.rows / pair[name][0] for pair in pairs)
        early, half, end = (max(pair[name][1][place] for pair in pairs) for place in range(3))
        sys.stdout.write(
            f"{name:<17} {rate:>9,.0f} rows/s   MB until 10 %, 50 %, 100 %: {early:.0f} {half:.0f} {end:.0f}\n"
        )
    ratio = statistics.median(pair["chunks of pandas"][0] / pair["player batch"][0] for pair in pairs)
    sys.stdout.write(f"rows/s, player batch / chunks of pandas: {ratio:.2f}\n")


if __name__ == "__main__":
    main()
