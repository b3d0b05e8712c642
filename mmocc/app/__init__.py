"""``mmocc app``: a page in the browser, to hide things and see what is said.

What it does are functions of arrays (``photos``, ``hiding``, ``classifier``,
``answers``); ``networks`` finds the trained models, and ``page`` puts a page
of Gradio around them. Gradio is imported by ``page`` and ``command`` alone.
"""
