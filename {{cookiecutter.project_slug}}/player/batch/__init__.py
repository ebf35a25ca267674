"""Batch: files in, files out, answered by the same model as the API. Uses storage/ and model/."""
