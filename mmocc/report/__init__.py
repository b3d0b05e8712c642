"""The occlusion report: what hidden parts cost a classifier or a detector.

``cells`` shows a test set through one occlusion, ``classifiers`` and
``detectors`` collect ``answers`` in each cell, ``statistics`` and ``tables``
turn answers to numbers with intervals, ``plots`` and ``page`` show them;
``job`` runs all of it for several models and goes on after a stop.
"""
