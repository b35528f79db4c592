# What R says: one function a test, arguments as in the cases, answers as named lists of numbers.
# NaN or an error means that R has no answer. R's p is joined by its logarithm, which does not underflow.

normal_answer <- function(z, p = 2 * pnorm(-abs(z))) {
  list(statistic = z, p = p, log10_p = (pnorm(-abs(z), log.p = TRUE) + log(2)) / log(10))
}

t_answer <- function(t, df, p = 2 * pt(-abs(t), df)) {
  if (is.nan(t)) df <- NaN
  list(statistic = t, df = df, p = p, log10_p = (pt(-abs(t), df, log.p = TRUE) + log(2)) / log(10))
}

chi_squared_answer <- function(x, df, p) {
  if (is.nan(x)) df <- NaN
  log10_p <- pchisq(x, df, lower.tail = FALSE, log.p = TRUE) / log(10)
  list(statistic = unname(x), df = unname(df), p = p, log10_p = unname(log10_p))
}

# pROC refuses infinite scores; only their ranks matter.
roc <- function(y_true, score) {
  infinite <- is.infinite(score)
  score[infinite] <- sign(score[infinite]) * 1e300
  pROC::roc(y_true, score, levels = c(0, 1), direction = "<", quiet = TRUE)
}

delong_test <- function(y_true, score_a, score_b) {
  test <- pROC::roc.test(roc(y_true, score_a), roc(y_true, score_b), method = "delong", paired = TRUE)
  z <- unname(test$statistic)
  list(
    auc_a = test$estimate[[1]], auc_b = test$estimate[[2]], statistic = z, p = test$p.value,
    log10_p = normal_answer(z)$log10_p, ci_low = test$conf.int[1], ci_high = test$conf.int[2]
  )
}

delong_ci <- function(y_true, score) {
  curve <- roc(y_true, score)
  ci <- pROC::ci.auc(curve, method = "delong")
  list(auc = curve$auc, ci_low = ci[1], ci_high = ci[3])
}

delong_covariance <- function(y_true, scores) {
  curves <- apply(scores, 1, function(score) roc(y_true, score), simplify = FALSE)
  covariance <- sapply(curves, function(a) sapply(curves, function(b) pROC::cov(a, b, method = "delong")))
  diag(covariance) <- sapply(curves, pROC::var, method = "delong")
  list(auc = sapply(curves, `[[`, "auc"), covariance = as.vector(covariance))
}

# Written out after Obuchowski (1997), Biometrics 53:567, over all pairs of a positive and a negative.
delong_test_clustered <- function(y_true, score_a, score_b, groups) {
  sums <- function(score) {
    wins <- outer(score[y_true == 1], score[y_true == 0], function(x, y) (x > y) + (x == y) / 2)
    auc <- mean(wins)
    list(
      auc = auc,
      positive = tapply(rowMeans(wins) - auc, factor(groups[y_true == 1], unique(groups)), sum, default = 0),
      negative = tapply(colMeans(wins) - auc, factor(groups[y_true == 0], unique(groups)), sum, default = 0)
    )
  }
  n_positive <- sum(y_true == 1)
  n_negative <- sum(y_true == 0)
  with_positive <- length(unique(groups[y_true == 1]))
  with_negative <- length(unique(groups[y_true == 0]))
  all <- length(unique(groups))
  covariance <- function(r, s) {
    with_positive / (with_positive - 1) * sum(r$positive * s$positive) / n_positive^2 +
      with_negative / (with_negative - 1) * sum(r$negative * s$negative) / n_negative^2 +
      all / (all - 1) * sum(r$positive * s$negative + r$negative * s$positive) / (n_positive * n_negative)
  }
  a <- sums(score_a)
  b <- sums(score_b)
  if (min(with_positive, with_negative) < 2) return(list(auc_a = a$auc, auc_b = b$auc, statistic = NaN, p = NaN))
  se <- sqrt(covariance(a, a) + covariance(b, b) - 2 * covariance(a, b))
  c(list(auc_a = a$auc, auc_b = b$auc, se = se), normal_answer((a$auc - b$auc) / se))
}

stuart_maxwell_test <- function(table) {
  names <- as.character(seq_len(nrow(table)))
  test <- coin::mh_test(as.table(matrix(table, nrow(table), dimnames = list(a = names, b = names))))
  chi_squared_answer(as.numeric(coin::statistic(test)), test@statistic@df, as.numeric(coin::pvalue(test)))
}

bowker_test <- function(table) {
  test <- mcnemar.test(table, correct = FALSE)
  chi_squared_answer(test$statistic, test$parameter, test$p.value)
}

# Sums over patients of (a right) - (b right); the statistic of Yang, Sun and Hardin (2010), and the interval of the
# differences x that it does not reject, where (sum(d) - n x)^2 = z^2 sum((d - size x)^2).
clustered_mcnemar_test <- function(correct_a, correct_b, groups) {
  d <- tapply(correct_a - correct_b, groups, sum)
  size <- tapply(groups, groups, length)
  n <- length(groups)
  x <- if (length(d) > 1) sum(d)^2 / sum(d^2) else NaN
  z2 <- qchisq(0.95, 1)
  squared <- n^2 - z2 * sum(size^2)
  ends <- c(-1, 1)
  if (squared > 0) {
    ends <- sort(Re(polyroot(c(sum(d)^2 - z2 * sum(d^2), -2 * (n * sum(d) - z2 * sum(d * size)), squared))))
  }
  if (all(d == 0)) ends <- c(NaN, NaN)
  c(
    chi_squared_answer(x, 1, pchisq(x, 1, lower.tail = FALSE)),
    estimate = mean(correct_a) - mean(correct_b), ci_low = max(-1, ends[1]), ci_high = min(1, ends[2])
  )
}

# All signs of the patients' differences, written out.
clustered_mcnemar_exact <- function(correct_a, correct_b, groups) {
  d <- tapply(correct_a - correct_b, groups, sum)
  if (length(d) < 2) return(list(p = NaN, log10_p = NaN))
  sums <- 0
  for (size in abs(d[d != 0])) sums <- c(sums - size, sums + size)
  p <- mean(abs(sums) >= abs(sum(d)))
  list(p = p, log10_p = log10(p))
}

mcnemar_chi_squared <- function(table, correction) {
  test <- mcnemar.test(table, correct = correction)
  chi_squared_answer(test$statistic, test$parameter, test$p.value)
}

mcnemar_exact <- function(table) {
  b <- table[1, 2]
  n <- b + table[2, 1]
  tail <- (pbinom(min(b, n - b), n, 0.5, log.p = TRUE) + log(2)) / log(10)
  list(p = binom.test(b, n)$p.value, log10_p = min(0, tail))
}

confusion_between <- function(pred_a, pred_b, labels) {
  counts <- table(factor(pred_a, labels), factor(pred_b, labels))
  list(counts = as.vector(t(counts)))
}

paired_t_test <- function(a, b) {
  test <- t.test(a, b, paired = TRUE)
  c(
    t_answer(unname(test$statistic), unname(test$parameter), test$p.value),
    list(estimate = unname(test$estimate), ci_low = test$conf.int[1], ci_high = test$conf.int[2])
  )
}

# Not in R; written out. A t-test with another factor than 1/J before the variance.
t_of_differences <- function(differences, factor) {
  if (var(differences) == 0) return(list(statistic = NaN, df = NaN, p = NaN, log10_p = NaN))
  t_answer(mean(differences) / sqrt(factor * var(differences)), length(differences) - 1)
}

pool_t_test <- function(differences, fraction) {
  t_of_differences(differences, 1 / length(differences) + fraction / (1 - fraction))
}

# Nadeau and Bengio (2003), Machine Learning 52:239.
corrected_paired_t_test <- function(differences, n_train, n_test) {
  t_of_differences(differences, 1 / length(differences) + n_test / n_train)
}

# R's interval where it is exact; elsewhere R interpolates.
wilcoxon_test <- function(a, b, correction) {
  d <- a - b
  exact <- length(d) >= 6 && length(d) < 50 && !any(d == 0) && !anyDuplicated(abs(d))
  test <- wilcox.test(a, b, paired = TRUE, correct = correction, conf.int = exact)
  found <- list(statistic = unname(test$statistic), p = test$p.value)
  if (exact) {
    found <- c(found, estimate = unname(test$estimate), ci_low = test$conf.int[1], ci_high = test$conf.int[2])
  }
  found
}

friedman_test <- function(blocks) {
  test <- friedman.test(blocks)
  kendalls_w <- unname(test$statistic) / (nrow(blocks) * (ncol(blocks) - 1))
  c(chi_squared_answer(test$statistic, test$parameter, test$p.value), estimate = kendalls_w)
}

# Nemenyi's test, written out from R's ranks and studentised range.
nemenyi <- function(blocks) {
  k <- ncol(blocks)
  ranks <- colMeans(t(apply(blocks, 1, rank)))
  q <- abs(outer(ranks, ranks, "-")) / sqrt(k * (k + 1) / (12 * nrow(blocks)))
  list(mean_ranks = ranks, p = as.vector(ptukey(q, k, Inf, lower.tail = FALSE)))
}

holm <- function(p) list(adjusted = p.adjust(p, "holm"))

benjamini_hochberg <- function(p) list(adjusted = p.adjust(p, "BH"))

power <- function(n, difference, sd, level) {
  test <- power.t.test(n, difference, sd, sig.level = level, type = "paired", strict = TRUE)
  list(power = test$power)
}

# One question: the answer, or what stopped R.
answer <- function(question, inputs) {
  suppressWarnings(suppressMessages(tryCatch(
    lapply(do.call(question, inputs), as.numeric),
    error = function(e) list(error = conditionMessage(e))
  )))
}

versions <- function() {
  c(
    R = paste(R.version$major, R.version$minor, sep = "."),
    sapply(c(pROC = "pROC", coin = "coin"), function(name) as.character(packageVersion(name)))
  )
}
