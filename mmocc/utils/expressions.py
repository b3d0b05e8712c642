"""Names of facial expressions, their order, and the words of public sets.

Every reader of faces gives labels in the order of RAF-DB, whatever the order
of its files; the map from a set's own labels is written here.
"""

EXPRESSIONS = (
    'Surprise', 'Fear', 'Disgust', 'Happiness', 'Sadness', 'Anger', 'Neutral',
)  # fmt: skip
EXPRESSIONS_8 = (*EXPRESSIONS, 'Contempt')

# RAF-DB, as its files have it: 1 to 7 in the order above. The lists of the
# occlusion and pose subsets have 0 to 6.
RAFDB_LABELS = {i + 1: name for i, name in enumerate(EXPRESSIONS)}
AFFECTNET_LABELS = {
    0: 'Neutral', 1: 'Happiness', 2: 'Sadness', 3: 'Surprise', 4: 'Fear',
    5: 'Disgust', 6: 'Anger', 7: 'Contempt',
}  # fmt: skip
# FER2013 and, counted from 1, the KDEF list of the Latent-OFER release.
FER2013_LABELS = {
    0: 'Anger', 1: 'Disgust', 2: 'Fear', 3: 'Happiness', 4: 'Sadness',
    5: 'Surprise', 6: 'Neutral',
}  # fmt: skip
KDEF_CODES = dict(
    AF='Fear', AN='Anger', DI='Disgust', HA='Happiness', NE='Neutral',
    SA='Sadness', SU='Surprise',
)  # fmt: skip
# Class folders; 'neural' is how FED-RO writes it.
FEDRO_FOLDERS = dict(
    surprise='Surprise', fear='Fear', disgust='Disgust', happy='Happiness',
    sad='Sadness', anger='Anger', neural='Neutral',
)  # fmt: skip
