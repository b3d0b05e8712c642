"""Cartoon faces with seven expressions, and cut-outs to hide them with."""

from mmocc.synthetic.cartoon_faces.settings import SPLITS, FaceSettings
from mmocc.synthetic.cartoon_faces.writer import is_current, write_faces

__all__ = ['SPLITS', 'FaceSettings', 'is_current', 'write_faces']
