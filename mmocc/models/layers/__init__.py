"""Layers that any model may use."""

from mmocc.models.layers.batch_occluder import BatchOccluder

__all__ = ['BatchOccluder']
