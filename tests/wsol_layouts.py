"""Small copies of the published localization layouts, to be read by tests."""

import numpy as np
from PIL import Image

BOX_XML = """\
<annotation><size><width>{0}</width><height>{1}</height></size>{2}
</annotation>"""
OBJECT_XML = """<object><name>{0}</name><difficult>0</difficult><bndbox>
<xmin>{1}</xmin><ymin>{2}</ymin><xmax>{3}</xmax><ymax>{4}</ymax></bndbox>
</object>"""


def write_image(path, size=(40, 30), seed=0):
    """Write an image of (w, h)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(path)


def write_lines(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join(f'{line}\n' for line in lines))


def write_xml(path, objects, size=(40, 30)):
    """Write a VOC annotation of objects (name, xmin, ymin, xmax, ymax)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = ''.join(OBJECT_XML.format(*item) for item in objects)
    path.write_text(BOX_XML.format(*size, text))


def write_metadata(root, split='test'):
    """Two images of 40 x 30; the second has two boxes."""
    folder, ids = root / 'metadata' / split, ['a/1.png', 'b/2.png']
    for seed, image_id in enumerate(ids):
        write_image(root / image_id, seed=seed)
    write_lines(folder / 'image_ids.txt', *ids)
    write_lines(folder / 'class_labels.txt', 'a/1.png,0', 'b/2.png,1')
    write_lines(folder / 'image_sizes.txt', 'a/1.png,40,30', 'b/2.png,40,30')
    write_lines(
        folder / 'localization.txt',
        *('a/1.png,4,6,20,25', 'b/2.png,0,0,9,9', 'b/2.png,10,10,39,29'),
    )
    layout_args = dict(metadata=str(root / 'metadata'))
    args = dict(data_root=str(root), split=split, layout_args=layout_args)
    return dict(args, layout='metadata')


def write_masks(root, split='val'):
    """Two images of OpenImages30k with masks; the second ignores nothing."""
    args = write_metadata(root, split)
    masks = {
        'a/1_m.png': np.s_[5:20, 5:20],
        'a/1_n.png': np.s_[0:4, 0:4],
        'a/1_ignore.png': np.s_[5:29, 5:39],
        'b/2_m.png': np.s_[10:20, :],
    }
    for name, place in masks.items():
        mask = np.zeros((30, 40), np.uint8)
        mask[place] = 255
        Image.fromarray(mask).save(root / name)
    write_lines(
        root / 'metadata' / split / 'localization.txt',
        'a/1.png,a/1_m.png,a/1_ignore.png',
        *('a/1.png,a/1_n.png,', 'b/2.png,b/2_m.png,'),
    )
    return args


def write_cub(root, split='test'):
    """Two classes; the second image is the one for training."""
    names = ['001.A/A_1.jpg', '001.A/A_2.jpg', '002.B/B_1.jpg']
    for seed, name in enumerate(names):
        write_image(root / 'images' / name, seed=seed)
    numbered = [f'{i} {name}' for i, name in enumerate(names, 1)]
    write_lines(root / 'images.txt', *numbered)
    write_lines(root / 'image_class_labels.txt', '1 1', '2 1', '3 2')
    write_lines(root / 'train_test_split.txt', '1 0', '2 1', '3 0')
    write_lines(root / 'classes.txt', '1 001.A', '2 002.B')
    write_lines(
        root / 'bounding_boxes.txt',
        *('1 6.0 2.0 32.0 30.0', '2 1.0 1.0 5.0 5.0', '3 0.0 3.0 40.0 20.0'),
    )
    return dict(layout='cub', data_root=str(root), split=split)


def write_ilsvrc(root, split='val'):
    """Two classes: folders to train with, XML files to test with."""
    for seed, wnid in enumerate(('n01', 'n02')):
        write_image(root / f'train/{wnid}/{wnid}_1.JPEG', seed=seed)
        write_image(root / f'val/v_{seed}.JPEG', seed=seed)
    write_lines(root / 'meta/val.txt', 'v_0.JPEG 1', 'v_1.JPEG 0')
    boxes = root / 'Annotations/CLS-LOC/val'
    write_xml(boxes / 'v_0.xml', [('n02', 0, 2, 21, 22)])
    write_xml(boxes / 'v_1.xml', [('n01', 1, 2, 3, 4), ('n01', 5, 6, 39, 29)])
    return dict(layout='ilsvrc', data_root=str(root), split=split)


def write_ilsvrc_list(root):
    """The same test set as a flat list."""
    args = write_ilsvrc(root)
    (root / 'meta/val.txt').unlink()
    write_lines(
        root / 'list.txt',
        *('v_0.JPEG 1 0 2 21 22', 'v_1.JPEG 0 1 2 3 4 5 6 39 29'),
    )
    return dict(args, layout_args=dict(boxes='list.txt'))


def write_tiny_imagenet(root, split='val'):
    """The public text files, two classes."""
    for seed, wnid in enumerate(('n01', 'n02')):
        write_image(root / f'train/{wnid}/images/{wnid}_0.JPEG', (32, 32))
        write_lines(
            root / f'train/{wnid}/{wnid}_boxes.txt',
            f'{wnid}_0.JPEG\t0\t10\t63\t58',
        )
        write_image(root / f'val/images/val_{seed}.JPEG', (32, 32))
    write_lines(
        root / 'val/val_annotations.txt',
        'val_0.JPEG\tn02\t0\t32\t44\t62',
        'val_1.JPEG\tn01\t3\t4\t50\t60',
    )
    args = dict(layout='tiny_imagenet', data_root=str(root), split=split)
    return dict(args, layout_args=dict(box_scale=0.5))


def write_tiny_csv(root, split='val'):
    """The same boxes in one CSV file, and no others."""
    args = write_tiny_imagenet(root, split)
    (root / 'val/val_annotations.txt').unlink()
    write_lines(
        root / 'boxes.csv',
        'split,path,wnid,words,x0_64,y0_64,x1_64,y1_64',
        'train,train/n01/images/n01_0.JPEG,n01,"a, b",0,10,63,58',
        'train,train/n02/images/n02_0.JPEG,n02,c,0,10,63,58',
        'val,val/images/val_0.JPEG,n02,c,0,32,44,62',
        'val,val/images/val_1.JPEG,n01,"a, b",3,4,50,60',
    )
    return dict(args, layout_args=dict(box_file='boxes.csv', box_scale=0.5))


def write_voc(root, split='test', classes=('cat', 'dog')):
    """Images of one class, with one object and with two, and of both."""
    objects = {
        'one': [(classes[0], 3, 3, 30, 28)],
        'two': [(classes[1], 1, 1, 9, 9), (classes[1], 20, 10, 40, 30)],
        'both': [(classes[0], 1, 1, 9, 9), (classes[1], 20, 10, 40, 30)],
    }
    for seed, (name, items) in enumerate(objects.items()):
        write_image(root / f'JPEGImages/{name}.jpg', seed=seed)
        write_xml(root / f'Annotations/{name}.xml', items)
    lists = root / 'ImageSets/Main'
    write_lines(lists / f'{split}.txt', *objects)
    flags = {classes[0]: (1, -1, 1), classes[1]: (-1, 1, 1)}
    for name, column in flags.items():
        pairs = zip(objects, column, strict=True)
        lines = [f'{image} {flag:2}' for image, flag in pairs]
        write_lines(lists / f'{name}_{split}.txt', *lines)
    args = dict(layout='voc', data_root=str(root), split=split)
    return dict(args, classes=list(classes))
