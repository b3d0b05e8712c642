"""Pictures: what a network looks at, and what a pipeline hides.

``sheet`` draws rows of panels. Panels come from ``localization_pictures``
(class maps and boxes), ``redrawing_pictures`` (DEA), ``ofer_pictures``
(Latent-OFER), ``hiding`` (what a pipeline hides) and ``deconv`` (what makes a
channel fire). Maps come from ``class_activation``; ``target_layers`` chooses
its layer, and computes receptive fields. Nothing here loads a model.
"""
