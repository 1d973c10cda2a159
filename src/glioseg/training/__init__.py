"""Training: settings, sampling, augmentation, losses and the loop."""
