"""Refuses a project name as soon as it is known, by the rules of hooks/pre_gen_project.py.

Cookiecutter runs a hook when the folder is made already, and adds a traceback of its own to what the hook says. An
extension of its Jinja comes before: the sentence stands alone, and nothing was made.
"""

import runpy
from pathlib import Path

from cookiecutter.exceptions import FailedHookException
from jinja2 import Environment
from jinja2.ext import Extension

FOLDER = "{{cookiecutter.project_slug}}"
refusal = runpy.run_path(str(Path(__file__).parent / "hooks" / "pre_gen_project.py"))["refusal"]


class ProjectName(Extension):
    """Adds the filter `project_name` and puts it into the folder's name: the answers of --replay pass nothing else."""

    def __init__(self, environment: Environment) -> None:
        """Give the filter to one environment of Jinja."""
        super().__init__(environment)
        environment.filters["project_name"] = checked

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Return the text of a template with the filter behind the folder's name."""
        return source.replace(FOLDER, "{{ cookiecutter.project_slug | project_name }}")


def checked(slug: object) -> str:
    """Return the name; raises FailedHookException, which cookiecutter shows as one line, when it cannot work."""
    if why := refusal(str(slug)):
        raise FailedHookException(why)
    return str(slug)
