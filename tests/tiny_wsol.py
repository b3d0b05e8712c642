"""Four small images of two classes per split, in the layouts of WSOLDataset.

Each has one box, and is 32 pixels wide and high.
"""

from wsol_layouts import write_image, write_lines, write_xml

IMAGES = 4
BOX = (3, 3, 29, 27)  # xyxy
SIZE = (32, 32)


def write(root, layout, classes):
    """Write all splits of a layout: ``voc``, ``cub`` or ``tiny_imagenet``."""
    dict(voc=voc, cub=cub, tiny_imagenet=tiny_imagenet)[layout](root, classes)


def voc(root, classes):
    main = root / 'ImageSets/Main'
    for split in ('train', 'val', 'trainval', 'test'):
        names = [f'{split}{index}' for index in range(IMAGES)]
        for index, name in enumerate(names):
            write_image(root / f'JPEGImages/{name}.png', SIZE, index)
            item = (classes[index % 2], BOX[0] + 1, BOX[1] + 1, *BOX[2:])
            write_xml(root / f'Annotations/{name}.xml', [item], SIZE)
        write_lines(main / f'{split}.txt', *names)
        for label, kind in enumerate(classes):
            flags = [1 if i % 2 == label else -1 for i in range(IMAGES)]
            pairs = zip(names, flags, strict=True)
            lines = [f'{name} {flag:2d}' for name, flag in pairs]
            write_lines(main / f'{kind}_{split}.txt', *lines)


def cub(root, classes):
    x1, y1, x2, y2 = BOX
    table = {}
    for number in range(1, 2 * IMAGES + 1):
        path = f'{number % 2}/{number}.png'
        write_image(root / 'images' / path, SIZE, number)
        table[number] = dict(
            images=path,
            image_class_labels=number % 2 + 1,
            train_test_split=int(number > IMAGES),
            bounding_boxes=f'{x1}.0 {y1}.0 {x2 - x1}.0 {y2 - y1}.0',
        )
    for name in table[1]:
        lines = [f'{number} {row[name]}' for number, row in table.items()]
        write_lines(root / f'{name}.txt', *lines)


def tiny_imagenet(root, classes):
    box = ','.join(str(2 * value) for value in BOX)  # of 64 pixels
    lines = ['split,path,wnid,words,x0_64,y0_64,x1_64,y1_64']
    for split in ('train', 'val'):
        for index in range(IMAGES):
            wnid = f'n{index % 2}'
            folder = f'train/{wnid}' if split == 'train' else 'val'
            path = f'{folder}/images/{split}_{index}.png'
            write_image(root / path, SIZE, index)
            lines.append(f'{split},{path},{wnid},"a, b",{box}')
    write_lines(root / 'boxes64.csv', *lines)
