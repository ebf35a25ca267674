"""The notebook is the training, step by step: it runs from top to bottom with the code as it is."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

PROJECT = Path(__file__).parents[1]


@pytest.mark.filterwarnings("ignore")  # what Jupyter's own libraries warn of is not ours to mend
def test_the_notebook_runs_from_top_to_bottom(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell runs, and the plots are drawn."""
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    monkeypatch.delenv("MPLBACKEND", raising=False)
    notebook = nbformat.read(PROJECT / "notebooks" / "training_notebook.ipynb", as_version=4)

    ran = NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": home}}).execute()

    kinds = [kind for cell in ran.cells for output in cell.get("outputs", []) for kind in output.get("data", {})]
    assert kinds.count("image/png") >= 3
