"""Metrics as the axes and headings of figures name them."""

from __future__ import annotations

_WORDS = {
    "auc": "AUC",
    "auc_all": "AUC, all labels",
    "study_auc": "AUC by study",
    "binary_auc": "AUC, binary",
    "dice": "Dice",
    "dice_positive": "Dice of positives",
    "f1": "F1",
    "binary_f1": "F1, binary",
    "iou": "IoU",
    "iou_positive": "IoU of positives",
    "map": "mAP",
    "map50": "mAP50",
    "map75": "mAP75",
    "map_small": "mAP, small boxes",
    "map_medium": "mAP, medium boxes",
    "map_large": "mAP, large boxes",
    "ar100": "AR100",
    "psnr": "PSNR",
    "ssim": "SSIM",
    "rmse": "RMSE",
    "lpips": "LPIPS",
    "frechet": "Fréchet distance",
    "fid": "FID",
    "log_loss": "log-loss",
    "brier": "Brier score",
}


def metric_in_words(metric: str) -> str:
    """`AUC, Edema` for auc/Edema; a metric without a word of its own loses its underscores."""
    name, _, label = metric.partition("/")
    words = _WORDS.get(name, name.replace("_", " "))
    return f"{words}, {label}" if label else words
