"""Turns a set of images into an occluded set on disk.

``settings`` says what to make, ``sources`` what is asked of a layout; ``voc``,
``coco`` and ``pascal3d`` are the layouts; ``images`` occludes one image,
``writer`` does all of them in several processes, and ``manifest`` says what
came of it.
"""
