"""Retraining: challengers replace only a worse champion. Uses monitoring/, storage/ and model/."""
