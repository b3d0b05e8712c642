"""Decoders that redraw objects from their features."""

from mmocc.models.decoders.conv_decoder import ConvDecoder
from mmocc.models.decoders.fc_decoder import FCDecoder

__all__ = ['ConvDecoder', 'FCDecoder']
