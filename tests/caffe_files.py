"""Writes ``.caffemodel`` files byte by byte, without any library.

The numbers of fields are those of Caffe's public schema.
"""

import numpy as np


def varint(number):
    """Return a number in groups of seven bits, the lowest first."""
    groups = bytearray()
    while number > 127:
        groups.append(number & 127 | 128)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def field(number, content):
    """Return a field: bytes with their length, or a whole number."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def blob(array, old=False):
    """Return a BlobProto; before 2015 its shape were four numbers."""
    data = field(5, array.astype('<f4').tobytes())
    if old:
        shape = (1,) * (4 - array.ndim) + array.shape
        return b''.join(map(field, range(1, 5), shape)) + data
    dims = b''.join(map(varint, array.shape))
    return data + field(7, field(1, dims))


def write(path, layers, old=False):
    """Write a NetParameter of layers' arrays, by name.

    Fields that no reader of weights needs, and a layer without weights, are
    there as well.
    """
    content = field(1, b'a network')
    for name, arrays in {'data': [], **layers}.items():
        blobs = [field(6 if old else 7, blob(a, old)) for a in arrays]
        words = field(4 if old else 1, name.encode())
        words += field(5, 4) if old else field(2, b'Convolution')
        words += field(2 if old else 3, b'below') + field(3, b'above')
        content += field(2 if old else 100, words + b''.join(blobs))
    path.write_bytes(content)


def random_layer(rng, shape, scale=1.0):
    """Return weight and bias, such that values keep their size."""
    fan = np.prod(shape[1:])
    weight = rng.normal(0, scale * (2 / fan) ** 0.5, shape)
    bias = rng.normal(0, 0.1, shape[0])
    return [weight.astype(np.float32), bias.astype(np.float32)]
