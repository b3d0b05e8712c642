"""The occlusion report: what hidden parts cost a classifier or a detector.

How answers flow, file by file:

- ``cells``: a test set is read through the occlusion of a cell (``L0``,
  ``L1 white``, ...); also ``mmocc.OcclusionCells`` and
  ``mmocc.OcclusionAccuracy``, for the validation of a training run.
- ``classifiers``: models predict a cell; the result of each is ``answers``,
  which are stored and, if nothing has changed, read back.
- ``detectors``: the config's own evaluator measures a cell; ``occluded_coco``
  adds the recall of really occluded objects.
- ``statistics``: hits and confidences become accuracies with intervals.
- ``tables`` and ``detector_tables``: numbers become JSON, CSV and Markdown.
- ``plots`` and ``page``: numbers become pictures and one HTML page.
- ``job``: one model of a report, which continues after a stop.
"""
