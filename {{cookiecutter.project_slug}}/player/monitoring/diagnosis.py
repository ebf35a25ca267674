"""Why the model does as it does: puts the evidence together and names one of the causes of degradation.

The causes are those of the workshop: data is gathered in a different way, the population has another distribution
than in training, the nature of the problem has changed. No cause is named that the rows do not show.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from player.monitoring.drift import ALARM, WARN, Drift, readable
from player.monitoring.evidence import FEWEST_LABELS, MARGIN, Evidence
from player.monitoring.figures import Figures
from player.monitoring.quality import Share
from player.monitoring.traces import Trace
from player.settings.sections import Monitoring

ALL_WELL = "all well"
TOO_FEW_ROWS = "too few rows"
TOO_FEW_LABELS = "too few labels"
GATHERED_DIFFERENTLY = "data gathered differently"
ANOTHER_POPULATION = "another population"
ANOTHER_NATURE = "another nature"

ADVICE = {
    ALL_WELL: "Nothing to do.",
    TOO_FEW_ROWS: "Wait for more requests.",
    TOO_FEW_LABELS: "Wait for labels, or ask who should send them why they are late.",
    GATHERED_DIFFERENTLY: "Ask whoever sends these features what they changed, and turn the values back in "
    "player/features.py before you train again.",
    ANOTHER_POPULATION: "Train again with labelled rows of this population; until then trust the answers less.",
    ANOTHER_NATURE: "Train again on recent labelled rows: the older ones teach a relation that no longer holds.",
}


@dataclass(frozen=True)
class Diagnosis:
    """One cause, how serious it is (ok, warn, alarm or unknown), one sentence, the evidence, and what to do."""

    cause: str
    state: str
    sentence: str
    advice: str
    evidence: list[str] = field(default_factory=list)


def diagnose(
    figures: Figures, drifts: list[Drift], traces: Mapping[str, Trace], evidence: Evidence, settings: Monitoring
) -> Diagnosis:
    """Return the cause that fits. *traces* come from `traces.find_traces`, *evidence* from `evidence.weigh`."""
    moved = [drift for drift in drifts if drift.verdict == ALARM]
    moving = [readable(drift.name) for drift in drifts if drift.verdict == WARN]
    notes = [*accuracy_notes(figures, evidence), *caution_notes(figures)]
    if moving:
        notes.append(f"Moving a little: {listed(moving)}.")
    if figures.rows < settings.min_rows:
        sentence = f"{figures.rows} of the {settings.min_rows} rows are here that a verdict needs."
        return conclude(TOO_FEW_ROWS, "unknown", sentence, notes)
    if traces:
        others = [readable(drift.name) for drift in moved if drift.name not in traces]
        also = [f"Also moved, without such a trace: {listed(others)}."] if others else []
        state = "alarm" if evidence.fell or evidence.broken else "warn"
        return conclude(GATHERED_DIFFERENTLY, state, gathering_sentence(traces), [*also, *notes])
    if moved:
        return another_population(figures, moved, evidence, notes)
    if figures.labelled < FEWEST_LABELS:
        few = f"only {figures.labelled} labels are" if figures.labelled else "no label is"
        sentence = f"The features look as in training, but {few} here to say whether the answers are right."
        return conclude(TOO_FEW_LABELS, "unknown", sentence, notes)
    if evidence.fell or evidence.broken:
        return conclude(ANOTHER_NATURE, "alarm", nature_sentence(figures, evidence), notes)
    return conclude(ALL_WELL, "ok", "The features look as in training and the answers are as good as expected.", notes)


def conclude(cause: str, state: str, sentence: str, evidence: list[str]) -> Diagnosis:
    """Return the diagnosis with the advice that belongs to its cause."""
    return Diagnosis(cause, state, sentence, ADVICE[cause], evidence)


def another_population(figures: Figures, moved: list[Drift], evidence: Evidence, notes: list[str]) -> Diagnosis:
    """Return the diagnosis of features that moved without a trace of being gathered differently."""
    names = listed([readable(drift.name) for drift in moved])
    sentence = f"The population is not that of training: {names} moved, most of all {largest_change(moved[0])}."
    then_fell = evidence.fell or bool(evidence.broken)
    if figures.labelled < FEWEST_LABELS:
        notes = [*notes, "Too few labels to say whether like cases still turn out alike."]
    elif evidence.at_training_mix is not None and evidence.before is not None:
        share = evidence.at_training_mix
        mixed = f"With the training mix of {readable(evidence.mixed_by)} accuracy would be {percent(share)}"
        if share.high < evidence.before - MARGIN:
            notes = [
                *notes,
                f"{mixed}: another population alone does not explain the loss.",
            ]
        elif then_fell:
            notes = [*notes, f"{mixed}: no sign that cases like those of training turn out differently."]
    return conclude(ANOTHER_POPULATION, "alarm" if then_fell else "warn", sentence, notes)


def largest_change(drift: Drift) -> str:
    """Return the bin of a feature whose share changed most, as it was and as it is."""
    most = max(drift.bins, key=lambda each: abs(each.now - each.then))
    return f"{readable(drift.name)} {readable(most.name)} from {most.then:.0%} to {most.now:.0%}"


def nature_sentence(figures: Figures, evidence: Evidence) -> str:
    """Return what speaks for a changed relation between features and label."""
    if evidence.fell and figures.accuracy:
        return (
            f"The features look as in training, but only {percent(figures.accuracy)} of the answers are right "
            f"({evidence.before:.0%} expected): like cases turn out differently now."
        )
    return f"The features look as in training, but {evidence.broken}: like cases turn out differently now."


def gathering_sentence(traces: Mapping[str, Trace]) -> str:
    """Return the traces as one sentence: those of units and names first, many gaps counted."""
    clear = [trace.sentence for trace in traces.values() if trace.kind != "gaps"]
    gaps = [trace.sentence for trace in traces.values() if trace.kind == "gaps"]
    if len(clear) > 3:
        clear = [*clear[:3], f"{len(clear) - 3} more features changed like that"]
    if len(gaps) > 1:
        gaps = [f"{len(gaps)} features come empty or with unknown values more often; most of all {gaps[0]}"]
    return f"{'; '.join([*clear, *gaps])}."


def accuracy_notes(figures: Figures, evidence: Evidence) -> list[str]:
    """Return the measured accuracy beside the expected one."""
    if figures.accuracy is None and figures.expected_accuracy is None:
        return []
    if figures.accuracy is None:
        return [f"Without labels only the model's own word is known: {figures.expected_accuracy:.0%} right."]
    before = "" if evidence.before is None else f"; {evidence.before:.0%} when it was trained"
    notes = [f"{percent(figures.accuracy)} of {figures.labelled:,} labelled answers were right{before}."]
    if evidence.broken:
        notes.append(f"{evidence.broken[0].upper()}{evidence.broken[1:]}.")
    return notes


def caution_notes(figures: Figures) -> list[str]:
    """Return what limits the conclusions: labels that only some answers get, and answers that were fallbacks."""
    notes = []
    shares = figures.coverage_by_answer
    if figures.labelled >= FEWEST_LABELS and len(shares) > 1 and min(shares.values()) < 0.5 * max(shares.values()):
        least = min(shares, key=lambda name: shares[name])
        notes.append(
            f"Labels come mostly for some answers (only {shares[least]:.0%} of the answers {readable(least)!r} have "
            "one), so the accuracy says little about the others."
        )
    if figures.degraded > 0:
        notes.append(f"{figures.degraded:.1%} of the answers came from a fallback, not from the current model.")
    return notes


def percent(share: Share) -> str:
    """Return a share with its interval, as people write it."""
    return f"{share.value:.0%} ({share.low:.0%} to {share.high:.0%})"


def listed(names: list[str]) -> str:
    """Return names as a list in a sentence; of many the first four.

    >>> listed(["age"]), listed(["age", "income"]), listed(["a", "b", "c", "d", "e", "f"])
    ('age', 'age and income', 'a, b, c, d and 2 more')
    """
    if len(names) > 4:
        return f"{', '.join(names[:4])} and {len(names) - 4} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
