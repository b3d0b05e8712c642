"""Pictures: what a network looks at, and what a pipeline hides.

``sheet`` draws rows of panels, which ``localization_pictures``,
``redrawing_pictures`` (DEA), ``ofer_pictures``, ``hiding`` and ``deconv``
make.
"""
