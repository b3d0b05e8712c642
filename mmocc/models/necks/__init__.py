"""Necks."""

from mmocc.models.necks.learn import LEARN

__all__ = ['LEARN']
