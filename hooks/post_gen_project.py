"""Print the next commands; touch nothing. The name was checked by pre_gen_project.py."""

print(
    """
Ready. The next commands:

  Linux, macOS                            Windows (PowerShell)
  cd {{ cookiecutter.project_slug }}
  make play                               py -m venv .tox\\tools
                                          .tox\\tools\\Scripts\\Activate.ps1
                                          pip install tox
                                          tox -e play
"""
)
