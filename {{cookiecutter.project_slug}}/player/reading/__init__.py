"""Reading: what a file, a column, a label or a time means, in training as in production. Uses no other wing."""
