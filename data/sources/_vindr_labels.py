"""The labels of VinDr-CXR in the order of its tables, and which of them Kaggle's table has."""

from __future__ import annotations

NO_FINDING = "No finding"

FINDINGS = (
    "Aortic enlargement",
    "Atelectasis",
    "Calcification",
    "Cardiomegaly",
    "Clavicle fracture",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Enlarged PA",
    "ILD",
    "Infiltration",
    "Lung Opacity",
    "Lung cavity",
    "Lung cyst",
    "Mediastinal shift",
    "Nodule/Mass",
    "Pleural effusion",
    "Pleural thickening",
    "Pneumothorax",
    "Pulmonary fibrosis",
    "Rib fracture",
    "Other lesion",
)
DIAGNOSES = ("COPD", "Lung tumor", "Pneumonia", "Tuberculosis", "Other diseases")
WITHOUT_BOX = (*DIAGNOSES, NO_FINDING)
LABELS = (*FINDINGS, *WITHOUT_BOX)

# In the order of Kaggle's class_id, 0 to 14.
KAGGLE = (
    "Aortic enlargement",
    "Atelectasis",
    "Calcification",
    "Cardiomegaly",
    "Consolidation",
    "ILD",
    "Infiltration",
    "Lung Opacity",
    "Nodule/Mass",
    "Other lesion",
    "Pleural effusion",
    "Pleural thickening",
    "Pneumothorax",
    "Pulmonary fibrosis",
    NO_FINDING,
)
