"""Heads; those of a host only where that host is installed."""

from mmocc.registry import HAS_MMDET, HAS_MMPRETRAIN

__all__ = []

if HAS_MMPRETRAIN:
    from mmocc.models.heads.cam_head import CAMHead
    from mmocc.models.heads.ofer_head import OFERHead
    from mmocc.models.heads.vgg_cls_head import VGGClsHead

    __all__ += ['CAMHead', 'OFERHead', 'VGGClsHead']

if HAS_MMDET:
    from mmocc.models.heads.ssd_iou_head import SSDIoUHead

    __all__ += ['SSDIoUHead']
