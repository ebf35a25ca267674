"""From a template to a page that can be sent, whatever a request held."""

from typing import Any

from flask import render_template


def render(template: str, **shown: Any) -> str:
    """Return the page; half characters, which no encoding has, become question marks."""
    return render_template(template, **shown).encode("utf-8", "replace").decode("utf-8")
