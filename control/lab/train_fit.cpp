// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/train_fit.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include <oneapi/tbb/parallel_for.h>

namespace weir::lab {
namespace {

/// Held-out rows of one fold and the logits their model gave after each round.
struct FoldOutcome {
    std::vector<std::uint32_t> rows;
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
    const auto model = fit(table, train, weights, options);
    if (!model) {
        out.error = model.error();
        return out;
    }
    auto held_out = gather(table, out.rows, model->columns);
    make_lie(table, options, *model, held_out);
    for (std::uint32_t round = 1; round <= options.boost.rounds; ++round) {
        auto logits = model->booster.margins(held_out, round);
        if (!logits) {
            out.error = logits.error();
            return out;
        }
        out.logits_of_round.push_back(std::move(*logits));
    }
    return out;
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
    std::vector<std::uint32_t> columns(table.features.size());
    std::iota(columns.begin(), columns.end(), 0U);
    for (const bool last : {false, true}) {
        auto data = gather(table, rows, columns);
        for (const std::uint32_t r : rows) {
            data.weights.push_back(weights[r]);
        }
        auto booster = Booster::train(data, options.boost);
        if (!booster) {
            return tl::unexpected(booster.error());
        }
        if (last) {
            return FittedModel{std::move(*booster), std::move(columns)};
        }
        const auto gains = booster->gains(data.columns);
        if (!gains) {
            return tl::unexpected(gains.error());
        }
        columns = best_columns(*gains, options.max_inputs);
        if (columns.empty()) {
            break;
        }
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
    out.loss_of_round = losses(table, weights, outcomes, options.boost.rounds);
    const auto best = std::min_element(out.loss_of_round.begin(), out.loss_of_round.end());
    out.rounds = static_cast<std::uint32_t>(best - out.loss_of_round.begin()) + 1;
    const std::size_t classes = table.classes.size();
    out.logits.resize(table.rows() * classes);
    for (const auto& outcome : outcomes) {
        for (std::size_t i = 0; i < outcome.rows.size(); ++i) {
            const auto& logits = outcome.logits_of_round[out.rounds - 1];
            std::copy_n(
                logits.begin() + static_cast<std::ptrdiff_t>(i * classes),
                classes,
                out.logits.begin() + static_cast<std::ptrdiff_t>(outcome.rows[i] * classes));
        }
    }
    return out;
}

}  // namespace weir::lab
