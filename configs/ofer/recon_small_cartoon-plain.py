"""Stage 3 of Latent-OFER without self-assembly: the U-Net alone."""

_base_ = './recon_small_cartoon.py'

model = dict(unet=dict(assembly=None))
