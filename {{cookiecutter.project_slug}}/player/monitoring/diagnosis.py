"""Why the model does as it does: puts the evidence together and names the causes of degradation.

The causes are those of the workshop: data is gathered in a different way, the population has another distribution
than in training, the nature of the problem has changed. Several may be true at once. No cause is named that the rows
do not show, and what cannot be told apart is said.
"""

from dataclasses import dataclass, field

from player.monitoring import words
from player.monitoring.drift import readable
from player.monitoring.evidence.raking import FEWEST_EFFECTIVE
from player.monitoring.evidence.weighing import FEWEST_LABELS, Evidence
from player.monitoring.figures import Figures
from player.monitoring.labels import Labels
from player.settings.sections import Monitoring

ALL_WELL = "all well"
SEEN_IN_PART = "well as far as seen"
TOO_FEW_ROWS = "too few rows"
TOO_FEW_LABELS = "too few labels"
GATHERED_DIFFERENTLY = "data gathered differently"
ANOTHER_POPULATION = "another population"
ANOTHER_NATURE = "another nature"

PLAIN = {  # what a participant says; the names above are the terms of the slides
    ALL_WELL: "all is as in training",
    SEEN_IN_PART: "well, as far as the labels show",
    TOO_FEW_ROWS: "too early to say: more requests are needed",
    TOO_FEW_LABELS: "too early to say: labels are needed",
    GATHERED_DIFFERENTLY: "values are written or measured in another way now",
    ANOTHER_POPULATION: "other cases come now than in training",
    ANOTHER_NATURE: "the same cases now turn out differently",
}

ADVICE = {
    ALL_WELL: "Nothing to do.",
    SEEN_IN_PART: "Ask for labels of the other answers as well, at least of a few drawn at random.",
    TOO_FEW_ROWS: "Wait for more requests.",
    TOO_FEW_LABELS: "Wait for labels, or ask who should send them why they are late.",
    GATHERED_DIFFERENTLY: "Ask whoever sends these features what they changed, and turn the values back in "
    "player/features.py before you train again.",
    ANOTHER_POPULATION: "Train again with labelled rows of this population; until then trust the answers less.",
    ANOTHER_NATURE: "Train again on recent labelled rows: the older ones teach a relation that no longer holds.",
}


@dataclass(frozen=True)
class Cause:
    """One cause that the rows show: its name, a sentence, the features it is about, and what it cost in points."""

    name: str
    sentence: str
    features: list[str] = field(default_factory=list)
    points: float | None = None


@dataclass(frozen=True)
class Diagnosis:
    """The first cause, how serious it is (ok, warn, alarm or unknown), a sentence about all of them, what to do."""

    cause: str
    state: str
    sentence: str
    advice: str
    evidence: list[str] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)
    open_questions: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        """All causes in one line."""
        return " and ".join(each.name for each in self.causes) or self.cause

    @property
    def plain(self) -> str:
        """The same in everyday words."""
        return ", and ".join(PLAIN[each.name] for each in self.causes) or PLAIN[self.cause]


def diagnose(figures: Figures, evidence: Evidence, labels: Labels, settings: Monitoring) -> Diagnosis:
    """Return the causes that fit. *evidence* comes from `evidence.weigh`, *labels* from `labels.describe_labels`."""
    notes = [*words.accuracy_notes(figures, evidence), *labels.notes, *words.fallback_notes(figures)]
    if figures.rows < settings.min_rows:
        sentence = f"{figures.rows} of the {settings.min_rows} rows are here that a verdict needs."
        return conclude(TOO_FEW_ROWS, "unknown", sentence, notes)
    causes = [*gathered(evidence), *population(evidence, settings), *nature(evidence)]
    if not causes and evidence.fell:  # whatever the tests say: fewer answers are right, and nothing else moved
        points = evidence.loss.total if evidence.loss else None
        causes = [Cause(ANOTHER_NATURE, words.fell_sentence(evidence), points=points)]
    questions = open_questions(evidence, causes)
    if causes:
        state = "alarm" if evidence.fell or broken(evidence) else "warn"
        sentence = " ".join(each.sentence for each in causes)
        advice = " ".join(ADVICE[each.name] for each in causes)
        notes = [*notes, *words.loss_notes(evidence)]
        return Diagnosis(causes[0].name, state, sentence, advice, notes, causes, questions)
    if evidence.labelled < FEWEST_LABELS:
        few = f"only {figures.labelled} labels are" if figures.labelled else "no label is"
        sentence = f"The features look as in training, but {few} here to say whether the answers are right."
        return conclude(TOO_FEW_LABELS, "unknown", sentence, notes)
    if labels.hidden:
        return conclude(SEEN_IN_PART, "unknown", f"The features look as in training and the labelled answers are as "
                        f"good as expected, but {labels.hidden}.", notes)  # fmt: skip
    return conclude(ALL_WELL, "ok", "The features look as in training and the answers are as good as expected.", notes)


def conclude(cause: str, state: str, sentence: str, evidence: list[str]) -> Diagnosis:
    """Return the diagnosis with the advice that belongs to its cause."""
    return Diagnosis(cause, state, sentence, ADVICE[cause], evidence)


def broken(evidence: Evidence) -> bool:
    """Return whether the labels contradict the promises, whatever the reason."""
    return any(each is not None and each.broken for each in (evidence.relation, evidence.unweighted))


def gathered(evidence: Evidence) -> list[Cause]:
    """Return the traces as a cause."""
    if not evidence.traces:
        return []
    points = evidence.loss.touched if evidence.loss else None
    return [Cause(GATHERED_DIFFERENTLY, words.gathering_sentence(evidence.traces), list(evidence.traces), points)]


def population(evidence: Evidence, settings: Monitoring) -> list[Cause]:
    """Return features that moved without a trace, one by one or all together, as a cause."""
    together = evidence.together_moved and evidence.together >= settings.psi_alarm
    if not evidence.moved and not together:
        return []
    points = evidence.loss.harder if evidence.loss else None
    sentence = words.population_sentence(evidence)
    return [Cause(ANOTHER_POPULATION, sentence, [drift.name for drift in evidence.moved], points)]


def nature(evidence: Evidence) -> list[Cause]:
    """Return promises that are broken for like cases as a cause."""
    asked = evidence.relation
    if asked is not None and asked.broken:
        asked = evidence.beyond if evidence.beyond is not None and evidence.beyond.broken else asked
        found = words.blamed_features(asked)
        return [Cause(ANOTHER_NATURE, words.nature_sentence(evidence, asked, found), found,
                      evidence.loss.rest if evidence.loss else None)]  # fmt: skip
    return []


def open_questions(evidence: Evidence, causes: list[Cause]) -> list[str]:
    """Return what the rows cannot tell apart, with the question to ask."""
    names = [each.name for each in causes]
    questions = []
    if GATHERED_DIFFERENTLY in names and not evidence.asked_all and evidence.labelled:
        questions.append("Whether like cases turn out differently as well cannot be known before the values are "
                         "turned back: no row is left untouched.")  # fmt: skip
    lost = evidence.moved and evidence.relation is None and evidence.unweighted is not None
    if lost and evidence.unweighted and evidence.unweighted.broken:
        questions.append(f"The promises are broken, but only {evidence.effective:.0f} rows are like those of training, "
                         f"{FEWEST_EFFECTIVE} are needed: whether like cases turn out differently, or the model never "
                         "knew these, cannot be told apart.")  # fmt: skip
    if ANOTHER_POPULATION in names and len(evidence.moved) == 1 and not evidence.followed:
        name = readable(evidence.moved[0].name)
        questions.append(f"Nothing else goes with {name}, so other people and another way of filling it in look the "
                         f"same: ask whoever sends {name}.")  # fmt: skip
    return questions
