"""The evidence in sentences: what a participant reads on the page and in the terminal."""

import re
from collections.abc import Mapping

from player.monitoring.drift import Drift, readable
from player.monitoring.evidence.relation import EVERYWHERE, SURENESS, Direction, Relation
from player.monitoring.evidence.traces import FEW_GAPS, Trace
from player.monitoring.evidence.weighing import Evidence
from player.monitoring.figures import Figures
from player.monitoring.quality import Share

OTHER_WAY = "like cases turn out differently now"
MOST_BLAMED = 2
GAPS = ("gaps", FEW_GAPS)
NEARLY = 0.75  # a direction nearly as strong as the strongest is named with it


def population_sentence(evidence: Evidence) -> str:
    """Return which features moved, and the largest change."""
    moved = evidence.moved
    if not moved:
        together = f"all together moved (PSI {evidence.together:.2f})"
        return f"The population is not that of training: no feature by itself, but {together}."
    names = listed([readable(drift.name) for drift in moved])
    return f"The population is not that of training: {names} moved, most of all {largest_change(moved[0])}."


def largest_change(drift: Drift) -> str:
    """Return the bin of a feature whose share changed most, as it was and as it is."""
    most = max(drift.bins, key=lambda each: abs(each.now - each.then))
    return f"{readable(drift.name)} {readable(most.name)} from {most.then:.0%} to {most.now:.0%}"


def blamed_features(asked: Relation) -> list[str]:
    """Return the features along which promises are broken most, none when they are broken everywhere alike."""
    top = asked.directions[0]
    if top.feature in (EVERYWHERE, SURENESS):
        return []
    close = [each.feature for each in asked.directions if abs(each.z) >= max(asked.limit, NEARLY * abs(top.z))]
    names = [name for name in dict.fromkeys(close) if name not in (EVERYWHERE, SURENESS)]
    return names[:MOST_BLAMED]


def nature_sentence(evidence: Evidence, asked: Relation, found: list[str]) -> str:
    """Return along which feature, or that everywhere, what comes is not what was promised."""
    start = "The features look as in training, but" if not evidence.moved and not evidence.traces else "Besides,"
    if not found:
        how = "less sure than the answers are" if asked.directions[0].feature == SURENESS else "not what was promised"
        return f"{start} what comes is {how}: {OTHER_WAY}."
    direction = next(each for each in asked.directions if each.feature == found[0])
    names = listed([readable(name) for name in found])
    means = "means" if len(found) == 1 else "mean"
    return f"{start} what {names} {means} for the outcome changed ({along(direction)}): {OTHER_WAY}."


def along(direction: Direction) -> str:
    """Return a direction with its gap as people say it."""
    points = f"{abs(direction.gap) * 100:.0f} points {'more' if direction.gap > 0 else 'less'} than promised"
    if direction.part in ("low", "high"):
        return (
            f"{points} in its {direction.part}est third"
            if direction.part == "high"
            else f"{points} in its lowest third"
        )
    return f"{points} where it is {readable(direction.part)}" if direction.part else f"{points} the higher it is"


def fell_sentence(evidence: Evidence) -> str:
    """Return that accuracy fell though no feature moved."""
    share = percent(evidence.accuracy) if evidence.accuracy else "fewer"
    expected = "" if evidence.before is None else f" ({evidence.before:.0%} expected)"
    return f"The features look as in training, but only {share} of the answers are right{expected}: {OTHER_WAY}."


def gathering_sentence(traces: Mapping[str, Trace]) -> str:
    """Return the traces as one sentence: those of units and names first, many gaps counted."""
    clear = [trace.sentence for trace in traces.values() if trace.kind not in GAPS]
    gaps = [trace.sentence for trace in traces.values() if trace.kind in GAPS]
    if len(clear) > 3:
        clear = [*clear[:3], f"{len(clear) - 3} more features changed like that"]
    if len(gaps) > 1:
        gaps = [f"{len(gaps)} features come empty more often; most of all {gaps[0]}"]
    return f"{'; '.join([*clear, *gaps])}."


def accuracy_notes(figures: Figures, evidence: Evidence) -> list[str]:
    """Return the measured accuracy beside the expected one, and the strongest directions of broken promises."""
    if figures.accuracy is None and figures.expected_accuracy is None:
        return []
    if figures.accuracy is None:
        return [f"Without labels only the model's own word is known: {figures.expected_accuracy:.0%} right."]
    before = "" if evidence.before is None else f"; {evidence.before:.0%} when it was trained"
    return [f"{percent(figures.accuracy)} of {figures.labelled:,} labelled answers were right{before}."]


def loss_notes(evidence: Evidence) -> list[str]:
    """Return what the accuracy lost, in points, and to which of the causes."""
    loss = evidence.loss
    if loss is None or not loss.total > 1:
        return []
    parts = {
        "because the cases that come are harder": loss.harder,
        "by values gathered in another way": loss.touched,
        "by promises broken for other rows": loss.rest,
    }
    told = [f"{points:.0f} {why}" for why, points in parts.items() if points >= 0.5]
    return [f"Of the {loss.total:.0f} points of accuracy that were lost: {', '.join(told)}."] if told else []


def fallback_notes(figures: Figures) -> list[str]:
    """Return how many answers were fallbacks."""
    if figures.degraded <= 0:
        return []
    return [f"{figures.degraded:.1%} of the answers came from a fallback, not from the current model."]


def without_values(warning: str, keep_names: bool = False) -> str:
    """Return a repair without what a stranger sent: the values in its parentheses, and the names that nobody knows.

    >>> without_values("age: not a number (forty), taken as missing"), without_values("ignored: my secret")
    ('age: not a number, taken as missing', 'ignored: unknown names')
    """
    if warning.startswith("ignored: ") and not keep_names:
        return "ignored: unknown names"
    return re.sub(r" ?\([^)]*\)?", "", warning)


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
