"""Speed of mmocc's parts, each against its floor or rival in one run."""

import mmocc  # noqa: F401  (before mmdet, which may need its operators)
