"""Looks at the answers before a folder is made: refuses a name that cannot work, and takes every text as a text.

Cookiecutter runs a hook when the folder is made already, and adds a traceback of its own to what the hook says. An
extension of its Jinja comes before: the sentence stands alone, and nothing was made. The rules for names are those of
hooks/pre_gen_project.py.
"""

import json
import runpy
from collections.abc import Iterator
from pathlib import Path

from cookiecutter.exceptions import FailedHookException
from jinja2 import Environment
from jinja2.ext import Extension

HERE = Path(__file__).parent
FOLDER = "{{cookiecutter.project_slug}}"
NAMED = "cookiecutter.project_slug | project_name(cookiecutter.ready | default(''))"
STOP = ("n", "no", "q", "quit")
refusal = runpy.run_path(str(HERE / "hooks" / "pre_gen_project.py"))["refusal"]


def texts(value: object) -> Iterator[str]:
    """Yield every text in a value of cookiecutter.json."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts(each)


OWN = {*texts(json.loads((HERE / "cookiecutter.json").read_text(encoding="utf-8")))}
OWN |= {hook.read_text(encoding="utf-8") for hook in (HERE / "hooks").glob("*.py")}


class Answers(Extension):
    """Adds the filters of cookiecutter.json, and keeps Jinja in an answer from being run."""

    def __init__(self, environment: Environment) -> None:
        """Give the filters to one environment of Jinja."""
        super().__init__(environment)
        environment.filters["project_name"] = checked
        environment.filters["agreed"] = agreed

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Return the text of a template with the filter behind the folder's name: --replay passes nothing else.

        Cookiecutter renders the answers of the command line and of its API. What has no file's name and is not ours is
        such an answer (or a path without one), and comes out as it went in.
        """
        if source == FOLDER:
            return f"{{{{ {NAMED} if cookiecutter.project_slug is defined else {literal(FOLDER)} }}}}"
        if name is None and source not in OWN:
            return f"{{{{ {literal(source)} }}}}"
        return source


def literal(text: str) -> str:
    """Return *text* as a constant of Jinja."""
    return "'" + text.encode("unicode_escape").decode("ascii").replace("'", "\\'") + "'"


def checked(slug: object, ready: object = "") -> str:
    """Return the name; raises FailedHookException, which cookiecutter shows as one line, when it cannot work.

    So it does when *ready*, the last answer, is no.
    """
    agreed(ready)
    if why := refusal(str(slug)):
        raise FailedHookException(why)
    return str(slug)


def agreed(answer: object) -> str:
    """Return nothing when the last question was answered with Enter; raises FailedHookException when it was no."""
    if str(answer).strip().lower() in STOP:
        raise FailedHookException("Nothing was written; the same command asks again.")
    return ""
