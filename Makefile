# `make` lists what there is. Everything here only calls tox; README.md has the same commands for Windows.

PYTHON ?= python3
UV := $(shell command -v uv)
TOX := tox==4.67.15
TOX_UV := tox-uv==1.37.1
TOOLS := .venv
export PATH := $(CURDIR)/$(TOOLS)/bin:$(PATH)

.PHONY: help play test lint bench clean

help:  ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

play: $(TOOLS)/ready  ## generate a player, train, serve, play a game, print the score
	@$(TOOLS)/bin/tox -qq -e play
	@echo 'The player is in scratch/my-player. To look around: cd there, make serve, then open the dashboard.'

test: $(TOOLS)/ready  ## the tests
	@$(TOOLS)/bin/tox -qq

lint: $(TOOLS)/ready  ## what the machine can say about the code
	@$(TOOLS)/bin/tox -qq -e lint

bench: $(TOOLS)/ready  ## how long generating takes
	@$(TOOLS)/bin/tox -qq -e bench

clean:  ## delete everything that make and tox made
	rm -rf .venv .tox scratch

# A small environment for tox, so that a system Python needs nothing but its standard library.
$(TOOLS)/ready: Makefile
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, this is " \
		+ sys.version.split()[0] + "; say which, for example: make play PYTHON=python3.12")'
	@echo 'Installing what is needed, this once; it takes a minute or two.'
ifdef UV
	@uv venv --quiet --allow-existing --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(TOOLS)
	@uv pip install --quiet --python $(TOOLS) $(TOX) $(TOX_UV)
else
	@$(PYTHON) -m venv $(TOOLS)
	@$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check $(TOX)
endif
	@touch $@
