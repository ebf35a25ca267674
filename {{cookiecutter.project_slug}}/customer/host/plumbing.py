"""The plumbing check: asks one player about one case, and says in plain words what is wrong and what to do.

The very code that plays asks here too, with the same deadline; a check costs no points.
"""

import uuid
from dataclasses import dataclass

from customer.referee import (
    DISCONNECTED,
    NO_NETWORK,
    NO_PREDICTION,
    NO_PROBABILITY,
    NOT_JSON,
    REFUSED,
    TIMEOUT,
    TIMEOUT_CONNECTING,
    TIMEOUT_READING,
    TOO_LARGE,
    UNKNOWN_CLASS,
    Referee,
    Verdict,
)
from customer.rounds import Case

ADVICE = {
    REFUSED: "Nothing listens there. Does it run, on this port, and for others (`player serve --host 0.0.0.0`)?",
    TIMEOUT_CONNECTING: "No connection within the deadline: a firewall drops it, or the address is another machine's.",
    TIMEOUT: "Connected, but no answer began within the deadline: the player is too slow or hangs; see its log.",
    TIMEOUT_READING: "An answer began but was not whole within the deadline: it is sent too slowly, or never ends.",
    DISCONNECTED: "The connection was cut before the answer was whole, or the answer is not HTTP. Is this your API?",
    TOO_LARGE: "The answer is longer than 1 MB; a prediction fits on one line.",
    NOT_JSON: "The answer is not JSON. A model API answers {prediction}.",
    NO_PREDICTION: "The answer is JSON without {key!r}: the contract says {prediction}.",
    NO_PROBABILITY: "{key!r} is no number from 0 to 1; the contract says {prediction}.",
    UNKNOWN_CLASS: "{key!r} is none of the labels {labels}, or of another type: 1 is not \"1\" and not true.",
    NO_NETWORK: "The host's machine could not ask: tell the host.",
}  # fmt: skip
STATUSES = {
    "status 401": "The player wants a key for predictions: only labels, metrics and the dashboard may need one.",
    "status 403": "The player refuses the customer: is a key or a signature set that does not fit this tournament?",
    "status 404": "Something listens, but has no {path}: is this the right port, and the contract of this game?",
    "status 405": "There is a {path}, but it takes no POST.",
    "status 422": "The player does not understand the request: does it speak another contract?",
    "status 503": "The player says that it is not ready: /health/ready says why.",
}


@dataclass(frozen=True)
class Finding:
    """What a check found: whether the plumbing works, the verdict, and what to do."""

    works: bool
    verdict: Verdict
    advice: str
    deadline: float

    def to_dict(self) -> dict[str, object]:
        """Return plain values."""
        return {
            "works": self.works,
            "reason": "answered" if self.works else self.verdict.reason,
            "advice": self.advice,
            "ms": self.verdict.milliseconds,
            "deadline_ms": 1000 * self.deadline,
            "answer": self.verdict.answer,
        }


async def probe(referee: Referee, case: Case) -> Finding:
    """Ask once and say what was found. The referee should be one that peeks at errors."""
    verdict = await referee.ask(str(uuid.uuid4()), case.features, case.label)
    return Finding(verdict.answered, verdict, explain(verdict, referee), referee.deadline)


def explain(verdict: Verdict, referee: Referee) -> str:
    """Return in one or two sentences what a verdict means and what to do about it."""
    if verdict.answered:
        return f"Works: answered in {verdict.milliseconds:.0f} ms of {1000 * referee.deadline:.0f}."
    contract = referee.contract
    words = {
        "key": contract.answer,
        "path": contract.predict,
        "labels": " and ".join(map(repr, referee.labels)),
        "prediction": f'{{"{contract.answer}": {referee.labels[-1] if contract.prediction else 0.5!r}}}',
    }
    advice = (ADVICE | STATUSES).get(verdict.reason, "")
    if advice and verdict.reason == NOT_JSON and verdict.answer.lstrip()[:1] == "<":
        advice = "The answer is a web page, not JSON: is this the right port?"
    if not advice:
        advice = other_status(verdict)
    return advice.format(**words)


def other_status(verdict: Verdict) -> str:
    """Return what a status means that has no advice of its own."""
    code = verdict.reason.removeprefix("status ")
    if code.startswith("3"):
        where = verdict.answer.replace("{", "{{").replace("}", "}}")[:80]
        return f"The player sends the customer elsewhere ({code} to {where}); redirects are not followed."
    if code.startswith("5"):
        return f"The player failed inside (status {code}): its log has the error."
    return f"The player answered {verdict.reason}, and only 200 is an answer."
