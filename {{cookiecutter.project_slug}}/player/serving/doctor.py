"""Whether an environment has what it needs, before it is started; mends what is safe to mend."""

import textwrap
from dataclasses import dataclass

import click

from player.errors import PlayerError
from player.serving import checks
from player.settings.controls import CONTROLS
from player.settings.sections import Settings

WIDTH, INDENT = 80, 12 * " "


@dataclass(frozen=True)
class Finding:
    """One control or check: whether it is met, whether this environment needs it, why, and what to do."""

    control: str
    met: bool
    required: bool
    reason: str
    fix: str
    warns: bool = False  # not met, and for a person to weigh
    note: str = ""  # what there is


def examine(settings: Settings, fix: bool) -> list[Finding]:
    """Return what every control and check finds, after mending what is safe to mend when *fix* says so."""
    if fix:
        mend(settings)
    return [*controls(settings), *(look(check, settings) for check in checks.CHECKS)]


def controls(settings: Settings) -> list[Finding]:
    """Return what the rating and the environment ask for."""
    return [Finding(c.name, c.met(settings), c.required(settings), c.reason, c.fix) for c in CONTROLS]


def look(check: checks.Check, settings: Settings) -> Finding:
    """Return what *check* finds."""
    trouble = check.trouble(settings)
    fix = "player doctor --fix" if trouble and check.fix else ""
    return Finding(check.name, not trouble, not check.warns, trouble, fix, bool(trouble) and check.warns, check.how())


def mend(settings: Settings) -> None:
    """Mend what is in trouble and can be mended without a person's judgement; say what was done."""
    for check in checks.CHECKS:
        if check.fix and check.trouble(settings):
            try:
                check.fix(settings)
            except PlayerError as error:
                click.echo(f"{check.name} could not be mended: {error}", err=True)
            else:
                click.echo(f"{check.name}: {'mended' if not check.trouble(settings) else 'needs a person'}", err=True)


def show(finding: Finding) -> None:
    """Print one finding for a person."""
    state = "met" if finding.met else "MISSING" if finding.required else "warning" if finding.warns else "not needed"
    click.echo(f"{state:<11} {finding.control}")
    if finding.note:
        click.echo(f"{INDENT}{finding.note}")
    if finding.warns or (finding.required and not finding.met):
        for line in (finding.reason, finding.fix and f"-> {finding.fix}"):
            if line:
                click.echo(textwrap.fill(line, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT))
