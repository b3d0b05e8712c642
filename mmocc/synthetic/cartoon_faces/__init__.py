"""Cartoon faces with seven expressions, and cut-outs to occlude them with."""

from mmocc.synthetic.cartoon_faces.writer import (
    SPLITS,
    FaceSettings,
    is_current,
    write_faces,
)

__all__ = ['SPLITS', 'FaceSettings', 'is_current', 'write_faces']
