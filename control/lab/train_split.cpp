// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/train_split.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <tuple>

namespace weir::lab {
namespace {

/// flows[class][group]
std::vector<std::vector<double>> count_flows(const FeatureTable& table) {
    std::vector<std::vector<double>> flows(
        table.classes.size(), std::vector<double>(table.groups.size(), 0.0));
    for (const auto& flow : table.flows) {
        flows[flow.label][flow.group] += 1.0;
    }
    return flows;
}

/// Share of each class of the whole weight; sums to 1.
std::vector<double> class_shares(
    const FeatureTable& table, const std::vector<double>& sums, const WeightOptions& options) {
    std::vector<double> shares(sums.size(), 0.0);
    const auto benign =
        std::find(table.classes.begin(), table.classes.end(), "benign") - table.classes.begin();
    const bool alarm = static_cast<std::size_t>(benign) < shares.size();
    double total = 0.0;
    for (std::size_t c = 0; c < sums.size(); ++c) {
        if (sums[c] > 0.0 && !(alarm && c == static_cast<std::size_t>(benign))) {
            shares[c] = std::pow(sums[c], options.class_power);
            total += shares[c];
        }
    }
    const double rest = alarm ? 1.0 - options.benign_share : 1.0;
    for (double& share : shares) {
        share *= total > 0.0 ? rest / total : 0.0;
    }
    if (alarm) {
        shares[static_cast<std::size_t>(benign)] = options.benign_share;
    }
    return shares;
}

}  // namespace

std::vector<float> row_weights(const FeatureTable& table, const WeightOptions& options) {
    const auto all = count_flows(table);
    const double most = options.max_flows == 0 ? 4294967295.0 : options.max_flows;
    auto mass = all;
    for (auto& of_class : mass) {
        for (double& m : of_class) {
            m = std::min(m, most);
        }
    }
    const auto flows = mass;
    std::vector<double> sums(table.classes.size(), 0.0);
    for (std::size_t c = 0; c < mass.size(); ++c) {
        for (double& m : mass[c]) {
            m = m > 0.0 ? std::pow(m, options.group_power) : 0.0;
            sums[c] += m;
        }
    }
    const auto shares = class_shares(table, sums, options);
    std::vector<float> weights(table.rows(), 0.0F);
    const double rows = table.rows();
    auto seen = all;  // flows of the class and source still to come
    for (const auto& flow : table.flows) {
        // The k-th of n is kept where k · kept / n steps to the next whole number: evenly spread.
        const double share = flows[flow.label][flow.group] / all[flow.label][flow.group];
        const double left = seen[flow.label][flow.group]--;
        if (std::floor(left * share) == std::floor((left - 1.0) * share)) {
            continue;
        }
        const double of_group =
            shares[flow.label] * mass[flow.label][flow.group] / sums[flow.label];
        const double of_flow = rows * of_group / flows[flow.label][flow.group];
        const double even = of_flow * (1.0 - options.final_share) / flow.rows;
        for (std::uint32_t r = 0; r < flow.rows; ++r) {
            const bool last = r + 1 == flow.rows;
            weights[flow.first_row + r] =
                static_cast<float>(even + (last ? of_flow * options.final_share : 0.0));
        }
    }
    return weights;
}

std::vector<std::uint32_t> assign_folds(const FeatureTable& table, std::uint32_t folds) {
    const auto flows = count_flows(table);
    std::vector<std::uint32_t> sources(table.classes.size(), 0);  // groups that have the class
    for (std::size_t c = 0; c < flows.size(); ++c) {
        sources[c] = static_cast<std::uint32_t>(
            std::count_if(flows[c].begin(), flows[c].end(), [](double n) { return n > 0.0; }));
    }
    const auto rarest = [&](std::uint32_t g) {
        std::pair<std::uint32_t, std::size_t> best{0xffffffffU, 0};
        for (std::size_t c = 0; c < flows.size(); ++c) {
            if (flows[c][g] > 0.0) {
                best = std::min(best, {sources[c], c});
            }
        }
        return best;
    };
    std::vector<std::uint32_t> order(table.groups.size());
    std::iota(order.begin(), order.end(), 0U);
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
        const auto key = [&](std::uint32_t g) {
            return std::tuple(rarest(g), -flows[rarest(g).second][g], table.groups[g]);
        };
        return key(a) < key(b);
    });
    // load[fold][class]: share of the class's (square-rooted) flows already there.
    std::vector<std::vector<double>> load(folds, std::vector<double>(table.classes.size(), 0.0));
    std::vector<std::uint32_t> fold_of(table.groups.size(), 0);
    for (const std::uint32_t g : order) {
        const auto cost = [&](std::uint32_t fold) {
            double sum = 0.0;
            for (std::size_t c = 0; c < flows.size(); ++c) {
                sum += flows[c][g] > 0.0 ? load[fold][c] / sources[c] : 0.0;
            }
            return sum;
        };
        std::uint32_t best = 0;
        for (std::uint32_t fold = 1; fold < folds; ++fold) {
            if (cost(fold) < cost(best)) {
                best = fold;
            }
        }
        fold_of[g] = best;
        for (std::size_t c = 0; c < flows.size(); ++c) {
            load[best][c] += std::sqrt(flows[c][g]);
        }
    }
    return fold_of;
}

}  // namespace weir::lab
