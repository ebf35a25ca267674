"""The name of answers.py in what was recorded before it was called so: --replay asks for it."""

from answers import Answers as ProjectName

__all__ = ["ProjectName"]
