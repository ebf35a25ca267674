"""Answers single rows in microseconds: what the pipeline says, compiled and compared with it before it is used."""
