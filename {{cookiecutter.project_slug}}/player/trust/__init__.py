"""Trust: which model files may be loaded: signature, versions, list of names, trial in a cage. Uses only learning/."""
