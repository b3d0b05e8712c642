"""LEARN for any torch classifier: put it in, train it without labels.

``attach`` puts LEARN at the output of a module, ``load`` does so with a file
that ``save`` wrote, and ``fit`` trains it on photographs. In the order of
reading: ``probing`` (which modules give features), ``attach``, ``files``;
``views`` (photographs, crops and occlusions), ``features`` (what the frozen
network makes of them), ``agreement``, ``trainer`` and ``fit``.
"""

from mmocc.utils.hosts import require

require('mmocc.learn', 'torch', 'torchvision', 'cv2', 'mmengine')

from mmocc.learn.agreement import Fit  # noqa: E402
from mmocc.learn.attach import Attached, attach, load  # noqa: E402
from mmocc.learn.fit import fit_learn  # noqa: E402

__all__ = ['Attached', 'Fit', 'attach', 'fit_learn', 'load']
