"""The deconvnet of arXiv 1311.2901: what in an image made a feature fire."""
