"""Images sought in the latent space of a generator, with encoders as perceptual losses."""
