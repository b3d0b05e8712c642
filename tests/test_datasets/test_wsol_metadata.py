"""The public metadata format, written and read again."""

import numpy as np
import pytest
import wsol_layouts as layouts

from mmocc.datasets import WSOLDataset
from mmocc.datasets.wsol.metadata import (
    MetadataReader,
    read_image_sizes,
    read_localization,
    write_metadata,
)

SIZES = {'a/1.png': (40, 30), 'b/2.png': (40, 30)}


@pytest.mark.parametrize('kind', ['boxes', 'masks'])
def test_what_is_written_is_what_was_read(tmp_path, kind):
    write = dict(boxes=layouts.write_metadata, masks=layouts.write_masks)
    args = write[kind](tmp_path)
    dataset = WSOLDataset(with_boxes=True, pipeline=[], **args)
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    out = tmp_path / 'written' / args['split']
    write_metadata(out, infos, SIZES)
    assert read_image_sizes(out) == SIZES
    old, new = (
        read_localization(folder)
        for folder in (tmp_path / 'metadata' / args['split'], out)
    )
    assert old.boxes.keys() == new.boxes.keys()
    for name, boxes in old.boxes.items():
        np.testing.assert_array_equal(boxes, new.boxes[name])
    for name, (masks, ignore) in old.masks.items():
        paths, ignored = new.masks[name]
        assert paths == [str(tmp_path / mask) for mask in masks]
        assert ignored == (ignore and str(tmp_path / ignore))
    again = WSOLDataset(
        with_boxes=True,
        pipeline=[],
        **dict(args, layout_args=dict(metadata=str(tmp_path / 'written'))),
    )
    labels = [again.get_data_info(i)['gt_label'] for i in range(len(again))]
    assert labels == [info['gt_label'] for info in infos]


def test_an_image_without_truth_is_refused_where_others_have_it(tmp_path):
    infos = [
        dict(image_id='a/1.png', gt_label=0, gt_bboxes=[[1.2, 2, 30.6, 9]]),
        dict(image_id='b/2.png', gt_label=1),
    ]
    with pytest.raises(ValueError, match=r'b/2\.png has neither'):
        write_metadata(tmp_path, infos, SIZES)
    write_metadata(tmp_path, infos[:1], SIZES)
    text = (tmp_path / 'localization.txt').read_text()
    assert text == 'a/1.png,1,2,31,9\n'
    write_metadata(tmp_path / 'plain', infos[1:], SIZES)
    assert not (tmp_path / 'plain/localization.txt').exists()


def test_a_smaller_list_of_images_is_read(tmp_path):
    args = layouts.write_metadata(tmp_path, 'train')
    proxy = tmp_path / 'metadata/train/image_ids_proxy.txt'
    layouts.write_lines(proxy, 'b/2.png')
    reader = MetadataReader(
        args['data_root'],
        'train',
        metadata=tmp_path / 'metadata',
        image_ids='image_ids_proxy.txt',
    )
    assert [image.image_id for image in reader.images()] == ['b/2.png']
    layouts.write_lines(proxy, 'c.png')
    with pytest.raises(ValueError, match=r'image_ids_proxy\.txt lists it'):
        reader.images()
