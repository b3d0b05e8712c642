"""The deconvnet of arXiv 1311.2901: what in an image made a channel fire.

``network.strongest_activations`` finds the images in which each channel of a
layer fires most; ``network.project_activations`` sends these activations back
to the pixels; ``pictures`` puts the projections beside the patches of the
images. ``tools/visualization/vis_deconv.py`` does all three.
"""
