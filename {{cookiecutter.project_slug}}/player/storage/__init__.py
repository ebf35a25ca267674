"""Where predictions and labels are kept: durable here first, then in the database."""
