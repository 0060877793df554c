// SPDX-License-Identifier: BSD-3-Clause
// An ONNX network that was trained on rows of traffic, imported: the library that trained it runs beside the bundle, on
// 10,000 rows of other traffic.
#include "control/lab/evaluate_metrics.h"
#include "control/lab/import.h"
#include "control/lab/train_family.h"
#include "tests/support/onnx.h"
#include "tests/unit/control/lab_rows.h"

#include <algorithm>
#include <cstdio>
#include <limits>

#include <oneapi/dnnl/dnnl.hpp>

namespace weir::lab::synth {
namespace {

constexpr std::uint32_t kRows = 10'000;
constexpr double kMostMacroF1Lost = 0.003;
constexpr double kMostAucLost = 0.001;

const std::vector<std::string> kClasses{"benign", "scan", "flood", "amplification"};
// One list a class, of what a class's traffic is made of.
const std::vector<std::vector<std::string>> kScenarios{
    {"browsing", "dns", "ssh", "download", "rtp_voice", "failed_connect", "ntp"},
    {"syn_sweep", "syn_port_scan", "udp_port_scan"},
    {"syn_flood", "udp_flood"},
    {"dns_amplification", "backscatter"}};
const std::vector<std::string> kInputs{
    "protocol",
    "is_udp",
    "fwd_bytes",
    "fwd_payload_bytes",
    "bwd_byte_share",
    "bwd_payload_packet_share",
    "fwd_length_min_bytes",
    "fwd_payload_mean_bytes",
    "fwd_length_max_bytes",
    "reply_delay_us",
    "handshake_rtt_us",
    "syn_packets",
    "seq_length_02_bytes",
    "seq_gap_02_us",
    "init_sent_rate_pps",
    "init_received_rate_pps",
    "init_flow_rate_per_s",
    "init_peers",
    "init_ports",
    "init_flows_per_peer"};

std::vector<std::uint16_t> input_columns() {
    std::vector<std::uint16_t> out;
    const auto catalog = dataplane::catalog();
    for (const auto& name : kInputs) {
        const auto at = std::find_if(
            catalog.begin(), catalog.end(), [&](const auto& f) { return f.name == name; });
        EXPECT_NE(at, catalog.end()) << name;
        out.push_back(static_cast<std::uint16_t>(at - catalog.begin()));
    }
    return out;
}

/// So many rows, as many of each class, of captures of this seed.
CodeMatrix traffic(std::uint64_t seed, std::uint32_t rows) {
    const TempDir dir;
    const auto columns = input_columns();
    const auto each = rows / static_cast<std::uint32_t>(kClasses.size());
    CodeMatrix out{.columns = static_cast<std::uint32_t>(columns.size())};
    for (std::uint32_t label = 0; label < kClasses.size(); ++label) {
        GenerateOptions options = options_in(dir, 30);
        options.seed = seed * 100 + label;
        options.scenarios = kScenarios[label];
        options.packets = 60'000;
        options.benign_flows_per_second = label == 0 ? 60.0 : 1.0;
        options.attack_share =
            label == 0 ? 0.0 : 0.9;  // of none, where no benign scenario is chosen
        must(options);
        auto made = Rows(options.out).rows;
        EXPECT_GE(made.size(), each) << kClasses[label] << ": too little traffic";
        std::shuffle(made.begin(), made.end(), std::mt19937_64(seed));
        made.resize(std::min<std::size_t>(made.size(), each));
        for (const auto& row : made) {
            for (const auto column : columns) {
                out.codes.push_back(row.codes[column]);
            }
            out.labels.push_back(label);
        }
    }
    return out;
}

/// A network behind a StandardScaler, as a file would hold it.
struct Trained {
    std::vector<FloatLayer> layers;
    std::vector<float> offset;
    std::vector<float> scale;

    explicit Trained(const CodeMatrix& data) {
        NetworkOptions options;
        options.hidden = {32, 16};
        options.epochs = 4;
        const auto shape =
            mlp_shape(data.columns, static_cast<std::uint32_t>(kClasses.size()), options).value();
        layers = train_network(shape, data, options, options.epochs).value().back().latent;
        const ColumnScale column = column_scale(data);
        offset = column.mean;
        for (const float s : column.spread) {
            scale.push_back(1.0F / s);
        }
        FloatLayer& first = layers.front();
        for (std::uint32_t j = 0; j < first.out; ++j) {
            for (std::uint32_t k = 0; k < first.in; ++k) {
                double& weight = first.weights[std::size_t{j} * first.in + k];
                first.bias[j] += weight * static_cast<double>(column.mean[k]);
                weight *= static_cast<double>(column.spread[k]);
            }
        }
    }

    [[nodiscard]] std::string onnx() const {
        weir::test::OnnxBuilder out;
        auto& scaler = out.node("Scaler", {}, true);
        weir::test::set_floats(scaler, "offset", offset);
        weir::test::set_floats(scaler, "scale", scale);
        for (const FloatLayer& layer : layers) {
            std::vector<double> across;  // [in][out]
            for (std::uint32_t k = 0; k < layer.in; ++k) {
                for (std::uint32_t j = 0; j < layer.out; ++j) {
                    across.push_back(layer.weights[std::size_t{j} * layer.in + k]);
                }
            }
            out.node(
                "Gemm",
                {out.floats(across, {layer.in, layer.out}), out.floats(layer.bias, {layer.out})});
            out.node(&layer == &layers.back() ? "Softmax" : "Relu", {});
        }
        return out.bytes();
    }

    /// Every layer's outputs by oneDNN's inference in float, ReLU included; the last are the logits. Rows × width each.
    [[nodiscard]] std::vector<std::vector<float>> run(const CodeMatrix& data) const {
        const std::int64_t rows = data.rows();
        std::vector<float> x;
        for (std::size_t i = 0; i < data.codes.size(); ++i) {
            const std::size_t c = i % data.columns;
            x.push_back((static_cast<float>(data.codes[i]) - offset[c]) * scale[c]);
        }
        std::vector<std::vector<float>> out;
        for (const FloatLayer& layer : layers) {
            auto& from = out.empty() ? x : out.back();
            std::vector<float> y(data.rows() * std::size_t{layer.out});
            forward(layer, rows, from, y, &layer != &layers.back());
            out.push_back(std::move(y));
        }
        return out;
    }

  private:
    static void forward(
        const FloatLayer& layer,
        std::int64_t rows,
        std::vector<float>& from,
        std::vector<float>& to,
        bool relu) {
        using Tag = dnnl::memory::format_tag;
        constexpr auto f32 = dnnl::memory::data_type::f32;
        const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
        dnnl::stream stream(engine);
        std::vector<float> weights(layer.weights.begin(), layer.weights.end());
        std::vector<float> bias(layer.bias.begin(), layer.bias.end());
        const dnnl::memory::desc source({rows, layer.in}, f32, Tag::nc);
        const dnnl::memory::desc weight({layer.out, layer.in}, f32, Tag::oi);
        const dnnl::memory::desc one({layer.out}, f32, Tag::x);
        const dnnl::memory::desc target({rows, layer.out}, f32, Tag::nc);
        dnnl::post_ops after;
        if (relu) {
            after.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
        }
        dnnl::primitive_attr attributes;
        attributes.set_post_ops(after);
        const dnnl::inner_product_forward primitive(dnnl::inner_product_forward::primitive_desc(
            {dnnl::prop_kind::forward_inference, source, weight, one, target}, attributes, engine));
        primitive.execute(
            stream,
            {{DNNL_ARG_SRC, dnnl::memory(source, engine, from.data())},
             {DNNL_ARG_WEIGHTS, dnnl::memory(weight, engine, weights.data())},
             {DNNL_ARG_BIAS, dnnl::memory(one, engine, bias.data())},
             {DNNL_ARG_DST, dnnl::memory(target, engine, to.data())}});
        stream.wait();
    }
};

/// Likeliest class and the score of "not benign" of each row.
std::vector<Judged> judged(
    const std::vector<float>& logits, const std::vector<std::uint32_t>& labels) {
    const std::size_t classes = kClasses.size();
    std::vector<Judged> out;
    for (std::size_t r = 0; r < labels.size(); ++r) {
        const auto row = std::span(logits).subspan(r * classes, classes);
        const auto top = std::max_element(row.begin(), row.end());
        double sum = 0.0;
        for (const float z : row) {
            sum += std::exp(static_cast<double>(z - *top));
        }
        out.push_back(
            {labels[r],
             static_cast<std::uint32_t>(top - row.begin()),
             1.0 - std::exp(static_cast<double>(row[0] - *top)) / sum});
    }
    return out;
}

/// Largest value of each neuron of a layer over the rows.
std::vector<float> largest(const std::vector<float>& values, std::size_t width) {
    std::vector<float> out(width, 0.0F);
    for (std::size_t i = 0; i < values.size(); ++i) {
        out[i % width] = std::max(out[i % width], values[i]);
    }
    return out;
}

/// Rows of which a hidden neuron exceeds what calibration saw: the bound does not speak of them.
std::vector<bool> outside(
    const Trained& network,
    const std::vector<std::vector<float>>& seen,
    const std::vector<std::vector<float>>& values,
    std::uint32_t rows) {
    std::vector<bool> out(rows, false);
    for (std::size_t l = 0; l + 1 < network.layers.size(); ++l) {
        const std::size_t width = network.layers[l].out;
        const auto most = largest(seen[l], width);
        for (std::size_t i = 0; i < values[l].size(); ++i) {
            out[i / width] = out[i / width] || values[l][i] > most[i % width];
        }
    }
    return out;
}

TEST(TrainedNetwork, PredictsLikeTheLibraryThatTrainedItWithinTheStatedBound) {
    const CodeMatrix known = traffic(1, 8'000);
    const CodeMatrix rows = traffic(2, kRows);
    ASSERT_EQ(rows.rows(), kRows);
    const Trained network(known);
    ImportOptions options;
    options.slot = "anomaly";
    options.name = "trained";
    options.created_unix = 1;
    options.classes = kClasses;
    options.features = kInputs;
    const auto model = parse_model(network.onnx(), options);
    ASSERT_TRUE(model) << model.error().line();
    const auto imported = import_model(*model, options, known.codes);
    ASSERT_TRUE(imported) << imported.error().line();
    const auto raw = kernel_raw(imported->bundle.network, rows);
    ASSERT_TRUE(raw) << raw.error().line();

    const auto classes = static_cast<std::uint32_t>(kClasses.size());
    const auto ours = logits_of_raw(*raw, classes, imported->logit_per_raw);
    const auto values = network.run(rows);
    const auto& theirs = values.back();
    ASSERT_EQ(ours.size(), theirs.size());
    const auto beyond = outside(network, network.run(known), values, kRows);
    const auto uncovered = std::count(beyond.begin(), beyond.end(), true);
    double worst = 0.0;
    double worst_of_all = 0.0;
    double moved = 0.0;
    for (std::size_t i = 0; i < ours.size(); ++i) {
        const double off = std::abs(static_cast<double>(ours[i]) - static_cast<double>(theirs[i]));
        moved += off / static_cast<double>(ours.size());
        worst_of_all = std::max(worst_of_all, off);
        worst = beyond[i / classes] ? worst : std::max(worst, off);
    }
    const auto before = judged(theirs, rows.labels);
    const auto after = judged(ours, rows.labels);
    std::uint32_t same = 0;
    for (std::size_t r = 0; r < kRows; ++r) {
        same += before[r].predicted == after[r].predicted ? 1 : 0;
    }
    const auto in_float = judge(before, classes, 0);
    const auto in_codes = judge(after, classes, 0);
    const auto [least, most] = std::minmax_element(theirs.begin(), theirs.end());
    const double range = static_cast<double>(*most) - static_cast<double>(*least);
    std::printf(
        "trained network, %u rows of other traffic: same class on %u; logits, which range over "
        "%.1f, moved by %.4f in the mean and %.4f at most; of the rows that the bound speaks of, "
        "all but %d, by %.4f (bound %.4f); macro F1 %.4f -> %.4f, AUC %.5f -> %.5f\n",
        kRows,
        same,
        range,
        moved,
        worst_of_all,
        static_cast<int>(uncovered),
        worst,
        imported->logit_error,
        in_float.macro_f1,
        in_codes.macro_f1,
        in_float.auc,
        in_codes.auc);
    EXPECT_GT(in_float.macro_f1, 0.8) << "trained on too little to say anything";
    // Library and kernel each round their own sums of floats.
    EXPECT_LE(worst, imported->logit_error + 1e-4);
    EXPECT_LE(uncovered, kRows / 10);
    // The bound adds up the worst of every neuron; what happens is far less, also where it says nothing.
    EXPECT_LE(worst_of_all, 0.05 * range);
    EXPECT_LE(moved, 0.002 * range);
    EXPECT_GE(same, kRows - 3 * kRows / 1000);
    EXPECT_NEAR(in_codes.macro_f1, in_float.macro_f1, kMostMacroF1Lost);
    EXPECT_NEAR(in_codes.auc, in_float.auc, kMostAucLost);
}

}  // namespace
}  // namespace weir::lab::synth
