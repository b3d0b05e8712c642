"""The occlusion report: what hidden parts cost a classifier or a detector.

How answers flow, file by file:

- ``cells``: a test set, read through the occlusion of a cell (``L2 white``);
  ``occlusion_cells``: the same for the validation of a training run.
- ``followed``: the object is sent through the pipeline, to be hidden where
  the model sees it.
- ``checks``: what can be known to fail fails before the work.
- ``classifiers``: models predict a cell; ``answers`` are stored and, if
  nothing that decides them has changed (``fingerprint``), read back.
- ``detectors``: the config's own evaluator measures a cell; ``occluded_coco``
  adds the recall of really occluded objects.
- ``hit_table``: a model's answers side by side for each image, so that a
  number and its interval are of the same images.
- ``statistics``: hits and confidences become accuracies with intervals;
  ``summary``: all numbers of a report.
- ``tables``, ``detector_tables``, ``plots``, ``page``: what is written.
- ``job``: one model of a report, which continues after a stop.
"""
