"""Detectors."""

from mmocc.models.detectors.dea import DEA

__all__ = ['DEA']
