"""Storage: predictions and labels, durable here first, then in the database. Uses only model/ among the wings."""
