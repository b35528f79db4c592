"""What encoders are tested on: trials in, predictions out, scored and compared without images."""
