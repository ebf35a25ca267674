"""The tournament: one host, five to five hundred players, everything that happens kept in a database."""
