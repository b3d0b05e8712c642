"""Turns a set of images into an occluded set on disk, or into cut-outs.

``voc``, ``coco``, ``pascal3d`` and ``image_folder`` are the layouts;
``images`` occludes one image, ``writer`` all of them. ``coco_cutouts`` cuts
objects out of photos.
"""
