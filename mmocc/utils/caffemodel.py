"""Weights of Caffe's networks, read from ``.caffemodel`` files.

Such a file is one message of Protocol Buffers. Of Caffe's public schema
(``caffe.proto``), what names layers and holds their weights is defined here;
all other fields of a file are skipped. No OpenMMLab import.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

# message: field: (number, type, repeated)
SCHEMA: dict[str, dict[str, tuple[int, str, bool]]] = {
    'BlobShape': {'dim': (1, 'int64', True)},
    'BlobProto': {
        # Before 2015 in place of the shape
        'num': (1, 'int32', False),
        'channels': (2, 'int32', False),
        'height': (3, 'int32', False),
        'width': (4, 'int32', False),
        'data': (5, 'float', True),
        'shape': (7, 'BlobShape', False),
        'double_data': (8, 'double', True),
    },
    'LayerParameter': {
        'name': (1, 'string', False),
        'type': (2, 'string', False),
        'blobs': (7, 'BlobProto', True),
    },
    'V1LayerParameter': {
        'name': (4, 'string', False),
        'blobs': (6, 'BlobProto', True),
    },
    'NetParameter': {
        'name': (1, 'string', False),
        'layers': (2, 'V1LayerParameter', True),  # before 2015
        'layer': (100, 'LayerParameter', True),
    },
}
PACKAGE = 'mmocc_caffe'
OLD_SHAPE = ('num', 'channels', 'height', 'width')


@cache
def net_parameter() -> Any:
    """Return the class of the message ``NetParameter``.

    Raises:
        ImportError: If protobuf is missing.
    """
    try:
        from google.protobuf import (
            descriptor_pb2,
            descriptor_pool,
            message_factory,
        )
    except ImportError as error:
        raise ImportError(
            '.caffemodel files need protobuf to be read: pip install '
            '"protobuf>=4.22"'
        ) from error
    file = descriptor_pb2.FileDescriptorProto(
        name=f'{PACKAGE}.proto', package=PACKAGE, syntax='proto2'
    )
    kinds = descriptor_pb2.FieldDescriptorProto
    for name, fields in SCHEMA.items():
        message = file.message_type.add(name=name)
        for field, (number, kind, repeated) in fields.items():
            row = message.field.add(name=field, number=number)
            row.label = kinds.Label.Value(
                'LABEL_REPEATED' if repeated else 'LABEL_OPTIONAL'
            )
            if kind in SCHEMA:
                row.type = kinds.TYPE_MESSAGE
                row.type_name = f'.{PACKAGE}.{kind}'
                continue
            row.type = kinds.Type.Value(f'TYPE_{kind.upper()}')
            row.options.packed = repeated
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = pool.FindMessageTypeByName(f'{PACKAGE}.NetParameter')
    return message_factory.GetMessageClass(found)


def read_caffemodel(path: str | Path) -> dict[str, list[np.ndarray]]:
    """Return the weights of each layer that has some, by its name.

    Args:
        path: A ``.caffemodel``, of the format of 2013 (``layers``) or of
            today (``layer``).

    Returns:
        float32 arrays in the order of the file, as a rule weight and bias.
            Of the older format each has four dimensions, of which the first
            ones may be 1.

    Raises:
        FileNotFoundError: The file does not exist.
        ImportError: If protobuf is missing.
        ValueError: It is damaged, no such file, or has no weights; or a
            layer's numbers do not fill its shape.
    """
    net, content = net_parameter()(), Path(path).read_bytes()
    try:
        net.ParseFromString(content)
    except Exception as error:  # protobuf's DecodeError
        raise ValueError(
            f'{path} is no .caffemodel, or is damaged ({error}): fetch it '
            'again'
        ) from error
    layers = [layer for layer in (*net.layers, *net.layer) if layer.blobs]
    if not layers:
        raise ValueError(
            f'{path} has no layer with weights: a .prototxt describes a '
            'network, the .caffemodel beside it has the weights'
        )
    return {
        layer.name: [_array(blob, layer.name, path) for blob in layer.blobs]
        for layer in layers
    }


def _array(blob: Any, layer: str, path: str | Path) -> np.ndarray:
    """Return a blob as an array."""
    values = np.array(blob.data or blob.double_data, np.float32)
    shape = tuple(blob.shape.dim)
    if not blob.HasField('shape'):
        shape = tuple(getattr(blob, name) for name in OLD_SHAPE)
    if values.size != np.prod(shape, dtype=np.int64):
        raise ValueError(
            f'{path}: layer {layer!r} has {values.size} numbers for the '
            f'shape {shape}: fetch the file again'
        )
    return values.reshape(shape)
