"""What the rows say against what was expected: which features moved and how, and whether the promises still hold."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from player.monitoring.drift import ALARM, WARN, Drift, readable
from player.monitoring.evidence import relation
from player.monitoring.evidence.raking import rake
from player.monitoring.evidence.relation import Relation
from player.monitoring.evidence.together import Joint, followers, look, psi_together
from player.monitoring.evidence.touched import untouched
from player.monitoring.evidence.traces import Trace
from player.monitoring.quality import Share, class_names, correct, wilson

FEWEST_LABELS = 100  # with fewer, the interval of the accuracy is wider than 16 points
MARGIN = 0.02  # a loss of accuracy smaller than this is nobody's concern
FEWEST_UNTOUCHED = 120  # rows that a trace did not touch, to ask whether more than the trace changed
MOST_RAKED = 8  # features; beyond the worst of them hardly a row would be left
CERTAIN = 1e-3
FEW_MOVED = 3  # with more features that moved it is people, not a form


@dataclass(frozen=True)
class Loss:
    """What was lost in accuracy, in points (0 to 100; negative was gained): all of it, and what it is made of."""

    total: float
    harder: float  # the cases that come now are harder by the model's own, corrected, word
    touched: float  # answers on values gathered in another way
    rest: float  # promises broken elsewhere


@dataclass(frozen=True)
class Evidence:
    """What the rows say; None and empty where it cannot be known."""

    before: float | None
    moved: list[Drift] = field(default_factory=list)  # without a trace, so that people explain it
    traces: dict[str, Trace] = field(default_factory=dict)
    together: float = 0.0  # PSI of all features together
    together_moved: bool = False
    followed: str = ""
    labelled: int = 0
    accuracy: Share | None = None
    fell: bool = False
    relation: Relation | None = None  # of the rows weighted to the training mix, and untouched by traces
    unweighted: Relation | None = None
    beyond: Relation | None = None  # what features show beyond that all answers are off alike
    asked_all: bool = True  # False when traces touch every row, so that nobody can know about the relation
    effective: float = 0.0
    loss: Loss | None = None


def weigh(
    rows: pd.DataFrame,
    table: pd.DataFrame,
    drifts: list[Drift],
    traces: Mapping[str, Trace],
    profile: Mapping[str, Any],
    before: float | None,
    positive: str,
) -> Evidence:
    """Return what *rows* say.

    *table* holds the features of *rows* as the model saw them, *before* is the accuracy to compare with, *positive*
    the class that `proba` speaks about.
    """
    found, joint = dict(traces), look(table, profile)
    together, chance = psi_together(joint) if joint else (0.0, 1.0)
    # What moved a little counts when all features together say that it is no chance.
    verdicts = (ALARM, WARN) if chance < CERTAIN else (ALARM,)
    moved = [drift for drift in drifts if drift.verdict in verdicts and drift.name not in found]
    soft = [name for name, trace in found.items() if not trace.hard]
    hard = {name: trace for name, trace in found.items() if trace.hard}
    known = rows["label"].notna()
    facts = promises(rows[known], table[known], profile, positive)
    moved_names = [drift.name for drift in moved] + soft
    followed = follow(joint, moved_names, drifts, hard)
    if followed == "" and moved_names and facts is not None:
        followed = blamed(facts, moved_names, hard, profile)
    if followed == "stayed" and len(moved_names) <= FEW_MOVED:
        hard |= {name: found.get(name) or alone(name) for name in moved_names}
        moved = []
    else:
        moved += [drift for drift in drifts if drift.name in soft and drift.verdict in verdicts]
    evidence = Evidence(
        before, moved, hard, together, bool(joint) and chance < CERTAIN and not hard, followed,
    )  # fmt: skip
    return evidence if facts is None else with_labels(evidence, facts, profile)


@dataclass(frozen=True)
class Facts:
    """Labelled answers of the model: features, what was promised, what came, and whether the answer was right."""

    table: pd.DataFrame
    p: np.ndarray
    came: np.ndarray
    right: np.ndarray
    promised_right: np.ndarray

    def only(self, mask: np.ndarray) -> "Facts":
        """Return those of *mask* (rows,)."""
        return Facts(self.table[mask], self.p[mask], self.came[mask], self.right[mask], self.promised_right[mask])


def promises(rows: pd.DataFrame, table: pd.DataFrame, profile: Mapping[str, Any], positive: str) -> Facts | None:
    """Return what the labelled *rows* were promised and what came; None when there are too few."""
    own = (rows["proba"].notna() & ~rows["degraded"].astype(bool)).to_numpy()  # a fallback promises nothing
    rows, table = rows[own], table[own]
    if len(rows) < FEWEST_LABELS:
        return None
    p = relation.promised(rows["proba"].clip(0, 1).to_numpy(), table, profile)
    right = correct(rows).to_numpy(dtype="float64")
    came = (class_names(rows["label"]) == positive).to_numpy(dtype="float64") if positive else right
    said = (class_names(rows["pred"]) == positive).to_numpy() if positive else np.ones(len(rows), dtype=bool)
    return Facts(table, p, came, right, np.where(said, p, 1 - p))


def follow(joint: Joint | None, moved: list[str], drifts: list[Drift], hard: Mapping[str, Trace]) -> str:
    """Return whether the features that did not move by themselves followed those that *moved*."""
    if joint is None or not moved or len(moved) > FEW_MOVED:
        return ""
    others = [drift.name for drift in drifts if drift.name not in moved and drift.name not in hard]
    return followers(joint, moved, others)


def blamed(facts: Facts, moved: list[str], hard: Mapping[str, Trace], profile: Mapping[str, Any]) -> str:
    """Return "stayed" when promises are broken just along the one feature that moved, and nowhere else.

    Other people who also turn out differently, and only as far as the feature goes by which they differ, are less
    likely than one feature whose values mean something else now.
    """
    if len(moved) > 1 or hard:
        return ""
    asked = relation.ask(facts.came, facts.p, facts.table, profile)
    if not asked.broken or asked.directions[0].feature != moved[0]:
        return ""
    own = relation.own_columns(facts.table, facts.p, moved, profile)
    rest = relation.ask(facts.came, facts.p, facts.table, profile, given=own)
    return "" if rest.broken else "stayed"


def alone(name: str) -> Trace:
    """Return the trace of a feature that moved while what goes with it stayed."""
    return Trace("alone", f"{readable(name)} moved alone: what goes with it stayed, or it no longer means the same")


def with_labels(evidence: Evidence, facts: Facts, profile: Mapping[str, Any]) -> Evidence:
    """Return *evidence* with what the labels say added."""
    clean = untouched(facts.table, evidence.traces, profile)
    asked_all = not evidence.traces or clean.sum() >= FEWEST_UNTOUCHED
    accuracy = wilson(facts.right.sum(), len(facts.right))
    before = evidence.before if evidence.before is not None else float(facts.promised_right.mean())
    fell = accuracy.high < before - MARGIN - uncertainty(before, profile)
    unweighted = weighted = rest = None
    effective = 0.0
    if asked_all:
        part = facts.only(clean)
        unweighted = relation.ask(part.came, part.p, part.table, profile)
        weighted, effective, weights = unweighted, float(len(part.p)), None
        names = [drift.name for drift in evidence.moved if drift.name in facts.table][:MOST_RAKED]
        if names:
            mix = rake(part.table, names, profile["features"])
            effective, weights = mix.effective, mix.weights
            weighted = relation.ask(part.came, part.p, part.table, profile, weights) if mix.usable else None
    if weighted is not None and weighted.broken and weighted.everywhere:
        alike = relation.own_columns(part.table, part.p, [], profile)
        rest = relation.ask(part.came, part.p, part.table, profile, weights, alike)
    gap = facts.promised_right - facts.right
    loss = Loss(
        100 * (before - accuracy.value), 100 * (before - float(facts.promised_right.mean())),
        100 * float((gap * ~clean).mean()), 100 * float((gap * clean).mean()),
    )  # fmt: skip
    return Evidence(**{**vars(evidence), "labelled": len(facts.p), "accuracy": accuracy, "fell": fell, "loss": loss,
                       "relation": weighted, "unweighted": unweighted, "beyond": rest, "asked_all": asked_all,
                       "effective": effective})  # fmt: skip


def uncertainty(before: float, profile: Mapping[str, Any]) -> float:
    """Return the standard error of the hold-out accuracy, with two rows of doubt (Agresti and Coull 1998)."""
    rows = profile.get("calibration", {}).get("rows", 0)
    share = (before * rows + 1) / (rows + 2)
    return math.sqrt(share * (1 - share) / (rows + 2)) if rows else 0.0
