"""Statistics on plain arrays: tests that compare two encoders, their intervals, and what corrects many of them."""

from __future__ import annotations

# Not looked up on use as elsewhere: functions and their modules share names, and the first to be imported would win.
from .auc import auc
from .bootstrap import BootstrapResult, bootstrap_ci
from .clustered_paired import clustered_paired_t_test
from .clustered_signed_rank import clustered_wilcoxon_test
from .confusion import confusion_between
from .delong import AucCovariance, DeLongResult, delong_ci, delong_covariance, delong_test
from .frechet_distance import frechet_ci, frechet_distance, weighted_frechet
from .frechet_permutation import paired_frechet_permutation_test
from .kernel_distance import kernel_distance, weighted_kernel_distance
from .letter_groups import letters
from .macro_auc import macro_auc_test
from .marginal_homogeneity import bowker_test, stuart_maxwell_test
from .mcnemar import clustered_mcnemar_test, mcnemar_test
from .multiplicity import benjamini_hochberg, holm
from .paired import corrected_paired_t_test, paired_t_test, pool_t_test
from .power import PowerResult, power, sample_power
from .rank_tests import friedman_test, nemenyi
from .replicate_bootstrap import replicate_bootstrap_ci
from .result import TestResult
from .signed_rank import wilcoxon_test
from .weighted import weighted_auc, weighted_mean

__all__ = [
    "AucCovariance",
    "BootstrapResult",
    "DeLongResult",
    "PowerResult",
    "TestResult",
    "auc",
    "benjamini_hochberg",
    "bootstrap_ci",
    "bowker_test",
    "clustered_mcnemar_test",
    "clustered_paired_t_test",
    "clustered_wilcoxon_test",
    "confusion_between",
    "corrected_paired_t_test",
    "delong_ci",
    "delong_covariance",
    "delong_test",
    "frechet_ci",
    "frechet_distance",
    "friedman_test",
    "holm",
    "kernel_distance",
    "letters",
    "macro_auc_test",
    "mcnemar_test",
    "nemenyi",
    "paired_frechet_permutation_test",
    "paired_t_test",
    "pool_t_test",
    "power",
    "replicate_bootstrap_ci",
    "sample_power",
    "stuart_maxwell_test",
    "weighted_auc",
    "weighted_frechet",
    "weighted_kernel_distance",
    "weighted_mean",
    "wilcoxon_test",
]
