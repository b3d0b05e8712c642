"""Turns a set of images into an occluded set on disk, or into cut-outs.

``settings`` says what to make and ``sources`` what every layout must offer;
``voc``, ``coco`` and ``pascal3d`` are the layouts. ``images`` occludes one
image, ``writer`` all of them, and it writes the tables. ``coco_cutouts`` cuts
objects out of photos.
"""
