"""Metrics and the occlusion benchmark."""
