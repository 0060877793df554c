// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/train_fit.h"

#include "control/lab/train_candidates.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include <oneapi/tbb/parallel_for.h>

namespace weir::lab {
namespace {

/// Held-out rows of one fold, their model, and the logits it gave after each stage.
struct FoldOutcome {
    std::vector<std::uint32_t> rows;
    CodeMatrix held_out;
    FittedModel fitted;
    std::vector<std::vector<float>> logits_of_round;
    std::optional<Error> error;
};

double row_loss(std::span<const float> logits, std::uint32_t label) {
    const double top = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
    double sum = 0.0;
    for (const float z : logits) {
        sum += std::exp(static_cast<double>(z) - top);
    }
    return std::log(sum) - (static_cast<double>(logits[label]) - top);
}

std::vector<std::uint32_t> best_columns(const std::vector<double>& gains, std::uint32_t most) {
    std::vector<std::uint32_t> order(gains.size());
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
        return gains[a] > gains[b];
    });
    std::erase_if(order, [&](std::uint32_t c) { return !(gains[c] > 0.0); });
    order.resize(std::min<std::size_t>(order.size(), most));
    std::sort(order.begin(), order.end());
    return order;
}

/// Gives each row the code of the row half the table further on, in the columns that `options` names.
void make_lie(
    const FeatureTable& table,
    const FitOptions& options,
    FittedModel const& model,
    CodeMatrix& data) {
    const std::uint32_t rows = data.rows();
    for (std::uint32_t c = 0; c < data.columns; ++c) {
        if (!matches_any(table.features[model.columns[c]], options.shuffled)) {
            continue;
        }
        const auto original = data.codes;
        for (std::uint32_t r = 0; r < rows; ++r) {
            const std::uint32_t from = (r + rows / 2) % rows;
            data.codes[std::size_t{r} * data.columns + c] =
                original[std::size_t{from} * data.columns + c];
        }
    }
}

FoldOutcome run_fold(
    const FeatureTable& table,
    std::span<const float> weights,
    const FitOptions& options,
    const std::vector<std::uint32_t>& fold_of,
    std::uint32_t fold) {
    FoldOutcome out;
    std::vector<std::uint32_t> train;
    for (std::uint32_t r = 0; r < table.rows(); ++r) {
        const std::uint32_t group = table.flows[table.flow_of[r]].group;
        const bool held_out = group < fold_of.size() && fold_of[group] == fold;
        if (held_out) {
            out.rows.push_back(r);
        } else if (weights[r] > 0.0F) {
            train.push_back(r);
        }
    }
    if (out.rows.empty()) {
        return out;
    }
    auto model = fit(table, train, weights, options);
    if (!model) {
        out.error = model.error();
        return out;
    }
    out.fitted = std::move(*model);
    out.held_out = gather(table, out.rows, out.fitted.columns);
    make_lie(table, options, out.fitted, out.held_out);
    for (std::uint32_t round = 1; round <= out.fitted.model->stages(); ++round) {
        auto logits = out.fitted.model->logits(out.held_out, round);
        if (!logits) {
            out.error = logits.error();
            return out;
        }
        out.logits_of_round.push_back(std::move(*logits));
    }
    return out;
}

/// Puts the logits of a fold's rows where they belong among all.
void place(
    const std::vector<std::uint32_t>& rows,
    std::size_t classes,
    const std::vector<float>& logits,
    std::vector<float>& to) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
        std::copy_n(
            logits.begin() + static_cast<std::ptrdiff_t>(i * classes),
            classes,
            to.begin() + static_cast<std::ptrdiff_t>(rows[i] * classes));
    }
}

/// Logits at the stage that was chosen: as validated, in float, and by the gateway's kernels.
Result<void> add_fold(const FoldOutcome& fold, std::size_t classes, CrossValidation& out) {
    if (fold.rows.empty()) {
        return {};
    }
    place(fold.rows, classes, fold.logits_of_round[out.rounds - 1], out.logits);
    const Fitted& model = *fold.fitted.model;
    const auto plain = model.float_logits(fold.held_out, out.rounds);
    const auto quantized = model.quantized(1.0, out.rounds);
    if (!plain || !quantized) {
        return tl::unexpected(!plain ? plain.error() : quantized.error());
    }
    const auto raw = kernel_raw(quantized->network, fold.held_out);
    if (!raw) {
        return tl::unexpected(raw.error());
    }
    const auto outputs = static_cast<std::uint32_t>(raw->size() / fold.held_out.rows());
    place(fold.rows, classes, *plain, out.float_logits);
    place(
        fold.rows,
        classes,
        logits_of_raw(*raw, outputs, quantized->logit_per_raw),
        out.integer_logits);
    return {};
}

/// The columns of a flow's first packets: lengths, then gaps, in the catalog's order.
Result<std::vector<std::uint32_t>> sequence_columns(const FeatureTable& table) {
    std::vector<std::uint32_t> columns;
    for (const std::string pattern : {"seq_length_*", "seq_gap_*"}) {
        for (std::uint32_t c = 0; c < table.features.size(); ++c) {
            if (matches_any(table.features[c], std::span(&pattern, 1))) {
                columns.push_back(c);
            }
        }
    }
    if (columns.size() != kernels::kSequenceChannels * kernels::kSequenceMaxSteps - 1) {
        return fail(
            "train",
            "--family",
            "conv1d needs the lengths and gaps of a flow's first 16 packets, of which the table "
            "has " +
                std::to_string(columns.size()) + " columns",
            "leave the features seq_* in, and extract with this version of weir");
    }
    return columns;
}

/// What chooses inputs for the families that cannot tell by themselves.
BoostOptions chooser(const FitOptions& options) {
    if (options.family == Family::gbdt) {
        return options.boost;
    }
    BoostOptions boost;
    boost.classes = options.boost.classes;
    boost.seed = options.boost.seed;
    return boost;
}

std::vector<double> losses(
    const FeatureTable& table,
    std::span<const float> weights,
    const std::vector<FoldOutcome>& folds,
    std::uint32_t rounds) {
    const std::size_t classes = table.classes.size();
    const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    std::vector<double> loss(rounds, 0.0);
    for (const auto& fold : folds) {
        for (std::size_t round = 0; round < fold.logits_of_round.size(); ++round) {
            const std::span<const float> logits(fold.logits_of_round[round]);
            for (std::size_t i = 0; i < fold.rows.size(); ++i) {
                const auto label = table.flows[table.flow_of[fold.rows[i]]].label;
                loss[round] += static_cast<double>(weights[fold.rows[i]]) *
                               row_loss(logits.subspan(i * classes, classes), label) / total;
            }
        }
    }
    return loss;
}

}  // namespace

CodeMatrix gather(
    const FeatureTable& table,
    std::span<const std::uint32_t> rows,
    std::span<const std::uint32_t> columns) {
    CodeMatrix out;
    out.columns = static_cast<std::uint32_t>(columns.size());
    out.codes.reserve(rows.size() * columns.size());
    out.labels.reserve(rows.size());
    for (const std::uint32_t r : rows) {
        const auto row = table.row(r);
        for (const std::uint32_t c : columns) {
            out.codes.push_back(row[c]);
        }
        out.labels.push_back(table.flows[table.flow_of[r]].label);
    }
    return out;
}

Result<FittedModel> fit(
    const FeatureTable& table,
    std::span<const std::uint32_t> rows,
    std::span<const float> weights,
    const FitOptions& options) {
    const auto matrix = [&](std::span<const std::uint32_t> columns) {
        auto data = gather(table, rows, columns);
        for (const std::uint32_t r : rows) {
            data.weights.push_back(weights[r]);
        }
        return data;
    };
    std::vector<std::uint32_t> columns(table.features.size());
    std::iota(columns.begin(), columns.end(), 0U);
    if (options.family == Family::conv1d) {
        auto sequence = sequence_columns(table);
        if (!sequence) {
            return tl::unexpected(sequence.error());
        }
        columns = std::move(*sequence);
    } else {
        const auto data = matrix(columns);
        const auto booster = Booster::train(data, chooser(options));
        const auto gains = booster ? booster->gains(data.columns)
                                   : Result<std::vector<double>>(tl::unexpected(booster.error()));
        if (!gains) {
            return tl::unexpected(gains.error());
        }
        columns = best_columns(*gains, options.max_inputs);
    }
    if (!columns.empty()) {
        const auto benign = std::find(table.classes.begin(), table.classes.end(), "benign");
        FitOptions chosen = options;
        if (options.candidates > 1) {
            const auto seed = best_seed(table, rows, weights, columns, options);
            if (!seed) {
                return tl::unexpected(seed.error());
            }
            chosen.network.seed = *seed;
        }
        auto model = fit_family(
            matrix(columns), chosen, static_cast<std::uint32_t>(benign - table.classes.begin()));
        if (!model) {
            return tl::unexpected(model.error());
        }
        return FittedModel{std::move(*model), std::move(columns)};
    }
    return fail(
        "train",
        "features",
        "no feature tells the classes apart",
        "label more flows of more than one class");
}

Result<CrossValidation> cross_validate(
    const FeatureTable& table,
    std::span<const float> weights,
    const FitOptions& options,
    std::vector<std::uint32_t> fold_of,
    std::uint32_t folds) {
    CrossValidation out;
    out.fold_of = std::move(fold_of);
    std::vector<FoldOutcome> outcomes(folds);
    oneapi::tbb::parallel_for(std::uint32_t{0}, folds, [&](std::uint32_t fold) {
        outcomes[fold] = run_fold(table, weights, options, out.fold_of, fold);
    });
    for (const auto& outcome : outcomes) {
        if (outcome.error) {
            return tl::unexpected(*outcome.error);
        }
    }
    std::uint32_t stages = 0;
    for (const auto& outcome : outcomes) {
        stages = std::max(stages, static_cast<std::uint32_t>(outcome.logits_of_round.size()));
    }
    out.loss_of_round = losses(table, weights, outcomes, stages);
    const auto best = std::min_element(out.loss_of_round.begin(), out.loss_of_round.end());
    out.rounds = options.early_stop
                     ? static_cast<std::uint32_t>(best - out.loss_of_round.begin()) + 1
                     : stages;
    const std::size_t classes = table.classes.size();
    out.logits.resize(table.rows() * classes);
    out.float_logits = out.integer_logits = out.logits;
    for (const auto& outcome : outcomes) {
        if (auto ok = add_fold(outcome, classes, out); !ok) {
            return tl::unexpected(ok.error());
        }
    }
    return out;
}

}  // namespace weir::lab
