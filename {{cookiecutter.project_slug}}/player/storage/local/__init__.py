"""What is durable on this machine before any database has it: the spool, its file, and its rescue."""
