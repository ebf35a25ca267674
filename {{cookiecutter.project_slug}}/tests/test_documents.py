"""What the documents say can be typed is a command, and every link leads somewhere."""

from pathlib import Path

import click
import pytest

from customer.cli import main as customer
from player.cli import main as player
from tests.documents import PROJECT, blocks, documents, links, words_of

PROGRAMS = {"player": player, "customer": customer}


def typed() -> list[tuple[str, str]]:
    """Return each line of a document that calls the player or the customer, with the document."""
    lines = [(block.document, line) for block in blocks() for line in block.lines]
    return [(document, line) for document, line in lines if line.split()[0] in PROGRAMS]


@pytest.mark.parametrize(("document", "line"), typed())
def test_what_can_be_typed_is_a_command(document: str, line: str) -> None:
    """Every command in a block is there, with these options."""
    program, *words = words_of(line)
    command: click.Command = PROGRAMS[program]
    while isinstance(command, click.Group):
        while words and words[0] in ("-e", "--environment"):
            words = words[2:]
        assert words, f"{document}: {line}"
        if words[0].startswith("--") and command.invoke_without_command:
            break
        name = words.pop(0)
        assert name in command.commands, f"{document}: {line}"
        command = command.commands[name]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}

    assert {word.split("=")[0] for word in words if word.startswith("--")} <= {*known, "--help"}, f"{document}: {line}"


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_every_link_leads_somewhere(path: Path) -> None:
    """A link in a document is a file of the project."""
    missing = [link for link in links(path) if not (path.parent / link).exists()]

    assert [] == missing


def test_every_document_is_linked() -> None:
    """From the README one finds every page of docs/."""
    linked = {Path(link).name for path in documents() for link in links(path)}

    assert {path.name for path in (PROJECT / "docs").glob("*.md")} <= linked
