// SPDX-License-Identifier: BSD-3-Clause
// What the two default models cost together: rows drawn from the histograms that the bundles carry, scored in blocks of
// 64, of 256 (a gathered batch of the gateway) and of 512 by the variant that the gateway would take, the head included.
#include "kernels/classifier.h"
#include "kernels/head/head.h"
#include "kernels/model/file.h"
#include "kernels/model/verify.h"
#include "perf/report.h"

#include <chrono>
#include <cstdint>
#include <iostream>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace weir::perf {
namespace {

constexpr std::size_t kAlign = 64;
constexpr int kRounds = 2000;
constexpr std::uint32_t kGathered = 256;  // rows of a batch that the gateway gathers
constexpr double kPairGoal = 25.0;        // ns a row, both models, gathered

struct Options {
    std::string anomaly = WEIR_MODELS "/anomaly.weir";
    std::string qos = WEIR_MODELS "/qos.weir";
    std::string json;
};

/// Codes as the training data had them, each input by itself.
std::vector<std::uint8_t> draw_rows(const kernels::Bundle& bundle, std::uint32_t rows) {
    std::mt19937_64 random(1);
    std::vector<std::uint8_t> codes(std::size_t{rows} * bundle.inputs.size());
    for (std::size_t i = 0; i < bundle.inputs.size(); ++i) {
        const auto& histogram = bundle.histograms[i];
        std::discrete_distribution<int> draw(histogram.begin(), histogram.end());
        for (std::uint32_t r = 0; r < rows; ++r) {
            codes[r * bundle.inputs.size() + i] = static_cast<std::uint8_t>(draw(random));
        }
    }
    return codes;
}

/// Nanoseconds a row, each the fastest of many calls.
struct Cost {
    double network = std::numeric_limits<double>::max();
    double head = std::numeric_limits<double>::max();
};

Result<Cost> cost(const kernels::Bundle& bundle, std::uint32_t rows) {
    const auto classifier = kernels::make_classifier(bundle.network);
    if (!classifier) {
        return tl::unexpected(classifier.error());
    }
    const std::uint32_t outputs = (*classifier)->outputs();
    const auto codes = draw_rows(bundle, rows);
    std::vector<std::byte> memory((*classifier)->scratch_bytes() + kAlign);
    void* scratch = memory.data();
    std::size_t space = memory.size();
    std::align(kAlign, memory.size() - kAlign, scratch, space);
    std::vector<std::int32_t> raw(std::size_t{rows} * outputs);
    std::vector<kernels::HeadVerdict> verdicts(rows);
    Cost best;
    const auto since = [rows](std::chrono::steady_clock::time_point begin) {
        return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin)
                   .count() /
               rows;
    };
    for (int round = 0; round < kRounds; ++round) {
        const auto begin = std::chrono::steady_clock::now();
        (*classifier)
            ->score(
                codes.data(),
                bundle.inputs.size(),
                rows,
                raw.data(),
                static_cast<std::byte*>(scratch));
        best.network = std::min(best.network, since(begin));
        const auto middle = std::chrono::steady_clock::now();
        kernels::apply_head(
            bundle.head, raw.data(), outputs, rows, bundle.benign_class(), verdicts.data());
        best.head = std::min(best.head, since(middle));
    }
    return best;
}

Result<Report> measure(const Options& options) {
    Report report;
    for (const std::uint32_t rows : {64U, kGathered, kernels::kMaxRows}) {
        Cost pair{0.0, 0.0};
        for (const auto& path : {options.anomaly, options.qos}) {
            const auto file = kernels::load_bundle_file(path);
            if (!file) {
                return tl::unexpected(file.error());
            }
            const auto bundle = kernels::parse_bundle(*file, path);
            if (!bundle) {
                return tl::unexpected(bundle.error());
            }
            const auto ns = cost(*bundle, rows);
            if (!ns) {
                return tl::unexpected(ns.error());
            }
            pair.network += ns->network;
            pair.head += ns->head;
            const std::string name = "models." + bundle->slot;
            const std::string at = "_at_" + std::to_string(rows);
            report.add({name + ".network" + at, ns->network, "ns", {}, false});
            report.add({name + ".head" + at, ns->head, "ns", {}, false});
        }
        const std::string at = "_at_" + std::to_string(rows);
        report.add({"models.pair.network" + at, pair.network, "ns", {}, false});
        report.add(
            {"models.pair.network_and_head" + at,
             pair.network + pair.head,
             "ns",
             rows == kGathered ? std::optional(kPairGoal) : std::nullopt,
             false});
    }
    return report;
}

int run(const Options& options) {
    const auto report = measure(options);
    if (!report) {
        std::cerr << "bench_models: " << report.error().line() << '\n';
        return 2;
    }
    report->print();
    if (!options.json.empty() && !report->write_json(options.json)) {
        std::cerr << "bench_models: " << options.json << ": cannot be written\n";
        return 1;
    }
    return 0;
}

}  // namespace
}  // namespace weir::perf

int main(int argc, char** argv) {
    weir::perf::Options options;
    CLI::App app("What the default models cost a row");
    app.add_option("--anomaly", options.anomaly, "Bundle of the anomaly slot")
        ->capture_default_str();
    app.add_option("--qos", options.qos, "Bundle of the qos slot")->capture_default_str();
    app.add_option("--json", options.json, "Also write the figures to this file");
    CLI11_PARSE(app, argc, argv);
    return weir::perf::run(options);
}
