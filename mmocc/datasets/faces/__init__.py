"""Readers of the layouts of public sets of faces (no OpenMMLab import)."""
