"""Turns a set of images into an occluded set on disk, or into cut-outs.

``voc``, ``coco`` and ``pascal3d`` are the layouts; ``images`` occludes one
image, ``writer`` all of them. ``coco_cutouts`` cuts objects out of photos.
"""
