"""Heads."""

from mmocc.models.heads.vgg_cls_head import VGGClsHead

__all__ = ['VGGClsHead']
