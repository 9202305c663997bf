"""The one vocabulary: batch keys, contrast names and order, tissue and tumour codes. Imports nothing."""

IMAGE = "image"
LABEL = "label"
PRED = "pred"
PROBABILITY = "probability"
SUBJECT = "subject"
# The two parts of a batch of a semi-supervised training, drawn independently.
LABELLED = "labelled"
UNLABELLED = "unlabelled"
# Which channels of a single 4-D image file a configuration uses, in order. Not named "image_...": MONAI's spatial
# transforms treat every key that begins with a transformed key and "_" as that key's metadata.
CHANNELS = "channels"
# Names of the contrasts that a subject has, where it need not have all: of its files, in their order.
HELD = "contrasts"
# Which contrast a sample of one contrast is: its place in a configuration's list of contrasts.
CONTRAST = "contrast"
# What the codes of an item's label file mean: code in the file -> code inside Ganglion. Not "label_...", as above.
CODES = "codes"

# Contrasts in the order in which networks take them as channels.
CONTRASTS = ("T1", "T1ce", "T2", "FLAIR")

# Label codes inside Ganglion, whatever the codes of the source were.
TISSUES = {0: "background", 1: "CSF", 2: "GM", 3: "WM"}
TUMOUR = {0: "background", 1: "necrotic and non-enhancing core", 2: "oedema", 3: "enhancing"}

# The lists of a dataset.json.
SECTIONS = ("training", "validation", "test", "unlabeled")
