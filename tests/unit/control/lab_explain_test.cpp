// SPDX-License-Identifier: BSD-3-Clause
// Planted cases: models whose deciding features are known, on rows of generated traffic. Does explain name them?
#include "control/lab/train_booster.h"
#include "control/lab/train_convert.h"
#include "control/watch/explanation.h"
#include "dataplane/features/features.h"
#include "kernels/explain/attribution.h"
#include "tests/unit/control/lab_rows.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <optional>
#include <tuple>

namespace weir::lab::synth {
namespace {

constexpr std::size_t kTop = 3;
constexpr double kGoal = 0.9;
constexpr std::uint32_t kRowsAtMost = 4000;

/// Labelled rows, and how often each code comes.
struct Planted {
    std::vector<dataplane::FeatureRow> rows;
    std::vector<std::uint32_t> labels;  ///< 1: planted

    [[nodiscard]] std::vector<kernels::CodeCounts> counts() const {
        std::vector<kernels::CodeCounts> out(dataplane::feature_count(), kernels::CodeCounts(256));
        for (const auto& row : rows) {
            for (std::size_t f = 0; f < out.size(); ++f) {
                ++out[f][row.codes[f]];
            }
        }
        return out;
    }
};

/// A model over the whole catalog with classes benign and planted.
std::unique_ptr<dataplane::SlotModel> model_of(
    kernels::Network network, std::int32_t scale_q16, std::vector<kernels::CodeCounts> counts) {
    auto model = std::make_unique<dataplane::SlotModel>();
    model->classifier = kernels::make_classifier(network).value();
    model->classes = {"benign", "planted"};
    model->benign_class = 0;
    model->head.scale_q16 = scale_q16;
    for (std::uint16_t f = 0; f < dataplane::feature_count(); ++f) {
        model->features.push_back(f);
    }
    model->basis = std::make_shared<const kernels::ModelBasis>(
        kernels::ModelBasis{std::move(network), std::move(counts)});
    return model;
}

std::unique_ptr<dataplane::SlotModel> trained(const Planted& data, std::uint64_t seed) {
    CodeMatrix matrix{.columns = dataplane::feature_count()};
    for (const auto& row : data.rows) {
        matrix.codes.insert(
            matrix.codes.end(), row.codes.begin(), row.codes.begin() + matrix.columns);
    }
    matrix.labels = data.labels;
    BoostOptions options;
    options.classes = 2;
    options.rounds = 6;
    options.depth = 4;
    options.bins = 256;
    options.seed = seed;
    const auto booster = Booster::train(matrix, options);
    EXPECT_TRUE(booster) << booster.error().line();
    const auto forest = quantize(parse_xgboost_json(booster->json().value()).value(), 1.0);
    return model_of(forest->spec, forest->scale_q16, data.counts());
}

/// Of the planted rows that the model calls so, at most `most`: how many explanations pass `named`.
struct Tally {
    std::uint32_t cases = 0;
    std::uint32_t named = 0;
    [[nodiscard]] double share() const { return static_cast<double>(named) / cases; }
};

using Names = std::vector<std::uint16_t>;

void explain_some(
    const dataplane::SlotModel& model,
    const Planted& data,
    std::uint32_t most,
    const std::function<bool(const Names&)>& named,
    bool adds_up,
    Tally& tally) {
    std::uint32_t done = 0;
    for (std::size_t r = 0; r < data.rows.size() && done < most; ++r) {
        if (data.labels[r] == 0) {
            continue;
        }
        const auto got = control::explain(model, data.rows[r], std::nullopt);
        ASSERT_TRUE(got);
        if (got->cls != "planted") {
            continue;
        }
        if (adds_up) {
            ASSERT_EQ(got->rest_bits, 0.0);
        }
        Names top;
        for (std::size_t p = 0; p < kTop; ++p) {
            if (got->parts.at(p).bits > 0.0) {  // a feature that speaks against it does not name it
                top.push_back(got->parts[p].feature);
            }
        }
        ++done;
        ++tally.cases;
        tally.named += named(top) ? 1 : 0;
    }
}

bool has(const Names& names, std::uint16_t feature) {
    return std::find(names.begin(), names.end(), feature) != names.end();
}

void tell(const char* what, const Tally& tally) {
    std::printf(
        "%s: the planted features are among the first %zu in %u of %u cases, %.1f %% (goal %.0f "
        "%%)\n",
        what,
        kTop,
        tally.named,
        tally.cases,
        100.0 * tally.share(),
        100.0 * kGoal);
}

class ExplainPlanted : public testing::Test {
  protected:
    [[nodiscard]] Planted generated(GenerateOptions options) {
        must(options);
        Planted out;
        out.rows = Rows(options.out).rows;
        std::shuffle(out.rows.begin(), out.rows.end(), random_);
        out.rows.resize(std::min<std::size_t>(out.rows.size(), kRowsAtMost));
        out.labels.resize(out.rows.size());
        return out;
    }
    [[nodiscard]] GenerateOptions mix() const {
        GenerateOptions options = options_in(dir_, 15);
        options.benign_flows_per_second = 40;
        options.attack_share = 0.3;
        options.packets = 60'000;
        return options;
    }
    /// A feature and a threshold that some 15 % to 45 % of the rows are above, so that the median is not.
    [[nodiscard]] std::pair<std::uint16_t, std::uint8_t> draw(const Planted& data) {
        for (;;) {
            const auto feature = static_cast<std::uint16_t>(random_() % dataplane::feature_count());
            const auto threshold = data.rows[random_() % data.rows.size()].codes[feature];
            const auto above =
                std::count_if(data.rows.begin(), data.rows.end(), [&](const auto& row) {
                    return row.codes[feature] > threshold;
                });
            const double share = static_cast<double>(above) / static_cast<double>(data.rows.size());
            if (share > 0.15 && share < 0.45) {
                return {feature, threshold};
            }
        }
    }

    /// Gives the row a code of the traffic's above the threshold, or one that is not.
    void set_side(
        const Planted& traffic,
        std::uint16_t feature,
        std::uint8_t threshold,
        bool above,
        dataplane::FeatureRow& row) {
        do {
            const auto& other = traffic.rows[random_() % traffic.rows.size()];
            row.codes[feature] = other.codes[feature];
            row.raw[feature] = other.raw[feature];
        } while ((row.codes[feature] > threshold) != above);
    }

    test::TempDir dir_;
    std::mt19937 random_{7};
};

// A third of the rows, drawn at random, get codes above a threshold in one feature, or in two; no other row has that.
// Features of traffic stand in for one another (a flow's first packet is all of its bytes), so that a label made of one as
// it comes could as well be another's: planted, it is this one's alone. Trees learn it from the rows.
TEST_F(ExplainPlanted, TrainedForestsAreExplainedByWhatWasPlanted) {
    const Planted traffic = generated(mix());
    ASSERT_GT(traffic.rows.size(), 1000U);
    Tally one;
    Tally two;
    for (std::uint32_t n = 0; n < 20; ++n) {
        const bool both = n % 2 == 1;
        const auto [a, above_a] = draw(traffic);
        auto [b, above_b] = draw(traffic);
        while (b == a) {
            std::tie(b, above_b) = draw(traffic);
        }
        Planted data = traffic;
        for (std::size_t r = 0; r < data.rows.size(); ++r) {
            const bool planted = random_() % 3 == 0;
            // Of the others a third has the first alone, a third the second, if two are needed.
            const std::uint32_t others = random_() % 3;
            data.labels[r] = planted ? 1 : 0;
            set_side(traffic, a, above_a, planted || (both && others == 0), data.rows[r]);
            if (both) {
                set_side(traffic, b, above_b, planted || others == 1, data.rows[r]);
            }
        }
        const auto model = trained(data, n);
        explain_some(
            *model,
            data,
            40,
            [&, a = a, b = b](const Names& top) { return has(top, a) && (!both || has(top, b)); },
            true,
            both ? two : one);
    }
    tell("forests, one feature planted", one);
    tell("forests, two features planted that must both hold", two);
    EXPECT_GE(one.cases, 300U);
    EXPECT_GE(two.cases, 300U);
    EXPECT_GE(one.share(), kGoal);
    EXPECT_GE(two.share(), kGoal);
}

// One hidden neuron fires above the planted code, among others that are moved a little by many inputs.
TEST_F(ExplainPlanted, NetworksAreExplainedByTheInputTheyWereMadeToRead) {
    const Planted data = generated(mix());
    const std::uint32_t inputs = dataplane::feature_count();
    const auto counts = data.counts();
    Tally tally;
    for (std::uint32_t n = 0; n < 40; ++n) {
        const auto [feature, above] = draw(data);
        kernels::MlpLayer hidden{.in = inputs, .out = 8, .shift = 4};
        for (std::uint32_t j = 0; j < hidden.out; ++j) {
            std::int32_t centre = 0;
            for (std::uint32_t k = 0; k < inputs; ++k) {
                const auto weight = static_cast<std::int8_t>(static_cast<int>(random_() % 5) - 2);
                hidden.weights.push_back(weight);
                centre += weight * 64;
            }
            hidden.bias.push_back(-centre);
            hidden.multiplier.push_back(16384);
        }
        hidden.weights[feature] = 127;  // of neuron 0
        hidden.bias[0] -= 127 * above;
        const kernels::MlpLayer last{
            .in = 8,
            .out = 2,
            .weights = {-60, 3, -3, 2, -2, 1, -1, 2, 60, -3, 3, -2, 2, -1, 1, -2},
            .bias = {1000, 0},
            .shift = 4,
            .multiplier = {16384, 16384}};
        Planted labelled = data;
        for (std::size_t r = 0; r < data.rows.size(); ++r) {
            labelled.labels[r] = data.rows[r].codes[feature] > above ? 1 : 0;
        }
        const auto model = model_of(kernels::MlpSpec{{hidden, last}}, 256, counts);
        explain_some(
            *model,
            labelled,
            40,
            [feature = feature](const Names& top) { return has(top, feature); },
            false,
            tally);
    }
    tell("networks made to read one feature", tally);
    EXPECT_GE(tally.cases, 800U);
    EXPECT_GE(tally.share(), kGoal);
}

// The generator plants one thing in one of two captures that are otherwise alike; trees learn to tell them apart.
TEST_F(ExplainPlanted, WhatTheGeneratorChangedIsWhatIsNamed) {
    struct Case {
        const char* what;
        std::vector<std::string> scenarios;
        std::function<void(GenerateOptions&)> plant;
        std::vector<std::string_view> kinds;  ///< parts of names of features that it can show in
    };
    const std::vector<Case> cases{
        {"padding",
         {"dns_tunnel", "beacon_udp"},
         [](GenerateOptions& o) { o.padding = 400; },
         {"bytes", "payload", "length"}},
        // A probe is a flow of a packet or two: that they come slowly shows in what their hosts do within a window.
        {"slowness of scans",
         {"syn_port_scan", "udp_port_scan"},
         [](GenerateOptions& o) { o.slow = 20; },
         {"_ports", "_peers", "per_peer", "rate", "gap"}},
        {"lying ports",
         {"rpc", "web_transaction", "ssh"},
         [](GenerateOptions& o) { o.lying_ports = true; },
         {"port"}}};
    for (const Case& one : cases) {
        Planted data;
        for (const bool planted : {false, true}) {
            GenerateOptions options = options_in(dir_, 30);
            options.scenarios = one.scenarios;
            options.attack_share = one.what == std::string_view("lying ports") ? 0.0 : 0.9;
            options.benign_flows_per_second = 10;
            options.packets = 30'000;
            if (planted) {
                one.plant(options);
            }
            Planted half = generated(options);
            half.rows.resize(std::min<std::size_t>(half.rows.size(), kRowsAtMost / 2));
            data.rows.insert(data.rows.end(), half.rows.begin(), half.rows.end());
            data.labels.insert(data.labels.end(), half.rows.size(), planted ? 1U : 0U);
        }
        Tally tally;
        const auto model = trained(data, 1);
        explain_some(
            *model,
            data,
            300,
            [&](const Names& top) {
                return std::any_of(top.begin(), top.end(), [&](std::uint16_t feature) {
                    const auto name = dataplane::catalog()[feature].name;
                    return std::any_of(one.kinds.begin(), one.kinds.end(), [&](auto kind) {
                        return name.find(kind) != std::string_view::npos;
                    });
                });
            },
            true,
            tally);
        tell(one.what, tally);
        EXPECT_GE(tally.cases, 50U) << one.what;
        EXPECT_GE(tally.share(), kGoal) << one.what;
    }
}

}  // namespace
}  // namespace weir::lab::synth
