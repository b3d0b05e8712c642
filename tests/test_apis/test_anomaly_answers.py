"""Table and maps of anomalies, as people and programs read them."""

import csv

import cv2
import numpy as np

from mmocc.apis.anomaly_answers import write_anomalies


def test_a_table_and_float_maps_are_written(tmp_path):
    heat = np.linspace(0, 7, 12, dtype=np.float32).reshape(3, 4)
    both = dict(
        name='a/one.png',
        image_score=0.75,
        image_anomalous=True,
        anomalous=np.array([True, False, True]),
        anomaly_map=heat,
    )
    nothing = dict(
        name='image1',
        image_score=None,
        image_anomalous=False,
        anomalous=np.zeros(0, bool),
        anomaly_map=0 * heat,
    )
    assert write_anomalies([both, nothing], tmp_path / 'out') == 2
    path = tmp_path / 'out/predictions.csv'
    with path.open(encoding='utf-8') as file:
        first, second = csv.DictReader(file)
    assert first == dict(
        name='a/one.png', image_score='0.75', anomalous='1', objects='3',
        anomalous_objects='2',
    )  # fmt: skip
    assert (second['image_score'], second['objects']) == ('', '0')
    maps = tmp_path / 'out/maps'
    np.testing.assert_array_equal(np.load(maps / '000000_one.npy'), heat)
    tiff = cv2.imread(str(maps / '000000_one.tiff'), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(tiff, heat)
    assert (maps / '000001_image1.tiff').is_file()
