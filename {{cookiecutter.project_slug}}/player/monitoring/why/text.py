"""The answer to "why" in words, for a terminal and for the page."""

from rich.console import Group
from rich.table import Table

from player.monitoring.why.explain import Why

UNKNOWN = "has no request with this id; one that was answered just now comes there within a second."
HOW = ("Each value in turn was set to what is usual in training (the median, the commonest category) while all others "
       "stayed as they were: so far had it moved the probability. What two do together counts at both.")  # fmt: skip


def to_text(why: Why) -> Group:
    """Return *why* for a terminal."""
    lines = [f"{name:<13}{value}" for name, value in facts(why)]
    lines += [f"{'repaired':<13}{warning}" for warning in why.warnings]
    lines += why.troubles
    if not why.features:
        return Group(*lines)
    headings = ("feature", "as it came", "asked with", "usual", "moved it by")
    table = Table(*headings, box=None, pad_edge=False)
    for each in why.features:
        table.add_row(each.name, each.came, each.asked, each.usual, points(each.effect))
    return Group(*lines, "", table, *(["", HOW] if any(each.effect is not None for each in why.features) else []))


def facts(why: Why) -> list[tuple[str, str]]:
    """Return what is known of the answer itself, each with its name."""
    proba = "-" if why.proba is None else f"{why.proba:.6g}{f' of label {why.about}' if why.about else ''}"
    labels = "; ".join(f"{each.label} ({each.status}, {each.at:%Y-%m-%d %H:%M:%S})" for each in why.labels)
    return [
        ("request", f"{why.request_id}, {why.at:%Y-%m-%d %H:%M:%S} UTC"),
        ("answer", f"{why.pred}{' (a fallback, not from the current model)' if why.degraded else ''}"),
        ("probability", proba),
        ("model", why.model),
        ("took", "-" if why.latency_ms is None else f"{why.latency_ms:.1f} ms"),
        ("label", why.outcome),
        *([("came", labels)] if len(why.labels) > 1 else []),
    ]


def points(effect: float | None) -> str:
    """Return an effect in points of a hundred.

    >>> points(0.123), points(-0.05), points(0.0001), points(None)
    ('+12.3', '-5.0', '0', '-')
    """
    if effect is None:
        return "-"
    return "0" if abs(effect) < 0.0005 else f"{100 * effect:+.1f}"
