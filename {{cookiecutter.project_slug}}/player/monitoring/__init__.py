"""How the model is doing and why: pure functions over tables of answered requests, usable from a notebook."""
