"""Readers of anomaly detection data: layouts, and boxes of their objects.

``mmocc.AnomalyImages`` is the data set over them.
"""
