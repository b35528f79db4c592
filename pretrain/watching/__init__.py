"""What looks on while an encoder is pretrained: a log, a watch for collapse, a linear probe."""
