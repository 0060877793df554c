// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/model/convert.h"

#include "kernels/model/bundle.pb.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <type_traits>

namespace weir::kernels {
namespace {

namespace pb = model::v1;

template <typename T>
std::string to_bytes(const std::vector<T>& values) {
    static_assert(sizeof(T) == 1);
    return {reinterpret_cast<const char*>(values.data()), values.size()};
}

template <typename T>
std::vector<T> from_bytes(const std::string& bytes) {
    static_assert(sizeof(T) == 1);
    std::vector<T> out(bytes.size());
    std::transform(
        bytes.begin(), bytes.end(), out.begin(), [](char c) { return static_cast<T>(c); });
    return out;
}

// What a dense layer and a convolution have in common.
template <typename Layer, typename Message>
void numbers_to_proto(const Layer& layer, Message& to) {
    to.set_in(layer.in);
    to.set_out(layer.out);
    to.set_weights(to_bytes(layer.weights));
    to.mutable_bias()->Assign(layer.bias.begin(), layer.bias.end());
    to.set_shift(layer.shift);
    for (const std::int16_t m : layer.multiplier) {
        to.add_multiplier(static_cast<std::uint32_t>(m));
    }
}

void to_proto(const MlpSpec& spec, pb::Bundle& out) {
    for (const MlpLayer& layer : spec.layers) {
        numbers_to_proto(layer, *out.mutable_mlp()->add_layers());
    }
}

void to_proto(const LinearSpec& spec, pb::Bundle& out) {
    numbers_to_proto(spec.layer, *out.mutable_linear());
}

void to_proto(const AutoencoderSpec& spec, pb::Bundle& out) {
    pb::Autoencoder& to = *out.mutable_autoencoder();
    for (const MlpLayer& layer : spec.layers) {
        numbers_to_proto(layer, *to.add_layers());
    }
    to.mutable_weights()->Assign(spec.weights.begin(), spec.weights.end());
    to.set_shift(spec.shift);
    to.set_offset(static_cast<std::uint32_t>(spec.offset));
}

// In the order of SequencePooling.
constexpr std::array kPoolings{
    pb::SEQUENCE_POOLING_FLATTEN, pb::SEQUENCE_POOLING_MAX, pb::SEQUENCE_POOLING_AVERAGE};

void to_proto(const SequenceSpec& spec, pb::Bundle& out) {
    pb::Sequence& to = *out.mutable_sequence();
    to.set_steps(spec.steps);
    for (const Convolution& layer : spec.convolutions) {
        pb::Convolution& convolution = *to.add_convolutions();
        numbers_to_proto(layer, convolution);
        convolution.set_kernel(layer.kernel);
        convolution.set_stride(layer.stride);
        convolution.set_padding(layer.padding);
        convolution.set_pool(layer.pool);
    }
    to.set_pooling(kPoolings.at(static_cast<std::size_t>(spec.pooling)));
    for (const MlpLayer& layer : spec.dense) {
        numbers_to_proto(layer, *to.add_dense());
    }
}

void to_proto(const ForestSpec& spec, pb::Bundle& bundle) {
    pb::Forest& out = *bundle.mutable_forest();
    out.set_inputs(spec.inputs);
    out.mutable_base()->Assign(spec.base.begin(), spec.base.end());
    for (const ForestTree& tree : spec.trees) {
        pb::Tree& to = *out.add_trees();
        to.set_output(tree.output);
        for (const ForestNode& node : tree.nodes) {
            to.mutable_features()->push_back(static_cast<char>(node.feature));
            to.mutable_thresholds()->push_back(static_cast<char>(node.threshold));
            to.add_left(node.left);
            to.add_right(node.right);
        }
        to.mutable_leaves()->Assign(tree.leaves.begin(), tree.leaves.end());
    }
}

void to_proto(const OnednnSpec& spec, pb::Bundle& bundle) {
    pb::Onednn& out = *bundle.mutable_onednn();
    if (const auto* int8 = std::get_if<OnednnInt8>(&spec.network)) {
        for (const MlpLayer& layer : int8->layers) {
            numbers_to_proto(layer, *out.mutable_int8()->add_layers());
        }
    } else if (const auto* f32 = std::get_if<OnednnF32>(&spec.network)) {
        out.mutable_f32()->set_raw_scale(f32->raw_scale);
        for (const OnednnF32Layer& layer : f32->layers) {
            pb::F32Layer& to = *out.mutable_f32()->add_layers();
            to.set_in(layer.in);
            to.set_out(layer.out);
            to.mutable_weights()->Assign(layer.weights.begin(), layer.weights.end());
            to.mutable_bias()->Assign(layer.bias.begin(), layer.bias.end());
        }
    }
}

// The oldest format that has the network's family.
std::uint32_t format_of(const Network& network) {
    return std::holds_alternative<OnednnSpec>(network) ? 2 : 1;
}

void to_proto(const HeadSpec& spec, pb::Head& out) {
    out.set_kind(spec.kind == HeadKind::softmax ? pb::HEAD_KIND_SOFTMAX : pb::HEAD_KIND_SIGMOID);
    out.set_scale_q16(static_cast<std::uint32_t>(spec.scale_q16));
    for (const CalibrationPoint& point : spec.calibration) {
        pb::CalibrationPoint& to = *out.add_calibration();
        to.set_in(point.in);
        to.set_out(point.out);
    }
}

void manifest_to_proto(const Bundle& bundle, pb::Manifest& out) {
    out.set_name(bundle.name);
    out.set_slot(bundle.slot);
    out.set_version(bundle.version);
    out.set_created_unix(bundle.created_unix);
    out.set_data_digest(bundle.data_digest);
    out.set_description(bundle.description);
    out.set_catalog_version(bundle.catalog_version);
}

// Converts one message tree; the first value that does not fit is kept as the error.
class Reader {
  public:
    explicit Reader(const std::string& where) : where_(where) {}

    Result<Bundle> bundle(const pb::Bundle& in) {
        if (in.format() < 1 || in.format() > kBundleFormat) {
            return fail(
                where_,
                "format",
                "bundle format " + std::to_string(in.format()) +
                    " is unknown, this build reads 1 to " + std::to_string(kBundleFormat),
                "upgrade the gateway, or make the bundle with a weirlab of its version");
        }
        Bundle out;
        manifest(in.manifest(), out);
        for (const pb::Input& input : in.inputs()) {
            out.inputs.push_back({input.feature(), input.encoder()});
        }
        out.classes.assign(in.classes().begin(), in.classes().end());
        out.thresholds.assign(in.thresholds().begin(), in.thresholds().end());
        out.network = network(in);
        out.head = head(in.head());
        for (const pb::Histogram& histogram : in.histograms()) {
            out.histograms.emplace_back(histogram.counts().begin(), histogram.counts().end());
        }
        for (const pb::Golden& golden : in.golden()) {
            out.golden.push_back(
                {from_bytes<std::uint8_t>(golden.codes()),
                 {golden.raw().begin(), golden.raw().end()}});
        }
        if (!ok_) {
            return tl::unexpected(std::move(error_));
        }
        return out;
    }

  private:
    static void manifest(const pb::Manifest& in, Bundle& out) {
        out.name = in.name();
        out.slot = in.slot();
        out.version = in.version();
        out.created_unix = in.created_unix();
        out.data_digest = in.data_digest();
        out.description = in.description();
        out.catalog_version = in.catalog_version();
    }

    Network network(const pb::Bundle& in) {
        switch (in.network_case()) {
            case pb::Bundle::kMlp:
                return MlpSpec{layers<MlpLayer>(in.mlp().layers(), "mlp.layers")};
            case pb::Bundle::kLinear:
                return LinearSpec{numbers<MlpLayer>(in.linear(), "linear")};
            case pb::Bundle::kAutoencoder:
                return autoencoder(in.autoencoder());
            case pb::Bundle::kSequence:
                return sequence(in.sequence());
            case pb::Bundle::kForest:
                return forest(in.forest());
            case pb::Bundle::kOnednn:
                return onednn(in.onednn());
            case pb::Bundle::NETWORK_NOT_SET:  // check_wire() saw to one
                break;
        }
        refuse("network", "missing");
        return {};
    }

    // What a dense layer and a convolution have in common.
    template <typename Layer, typename Message>
    Layer numbers(const Message& from, const std::string& path) {
        Layer layer;
        layer.in = from.in();
        layer.out = from.out();
        layer.weights = from_bytes<std::int8_t>(from.weights());
        layer.bias.assign(from.bias().begin(), from.bias().end());
        layer.shift = fit<std::uint8_t>(from.shift(), [&] { return path + ".shift"; });
        layer.multiplier.reserve(static_cast<std::size_t>(from.multiplier_size()));
        for (const std::uint32_t m : from.multiplier()) {
            layer.multiplier.push_back(fit<std::int16_t>(m, [&] {
                return path + ".multiplier[" + std::to_string(layer.multiplier.size()) + "]";
            }));
        }
        return layer;
    }

    template <typename Layer, typename Messages>
    std::vector<Layer> layers(const Messages& in, const std::string& path) {
        std::vector<Layer> out;
        out.reserve(static_cast<std::size_t>(in.size()));
        for (const auto& from : in) {
            out.push_back(numbers<Layer>(from, path + "[" + std::to_string(out.size()) + "]"));
        }
        return out;
    }

    AutoencoderSpec autoencoder(const pb::Autoencoder& in) {
        AutoencoderSpec spec;
        spec.layers = layers<MlpLayer>(in.layers(), "autoencoder.layers");
        for (const std::uint32_t weight : in.weights()) {
            spec.weights.push_back(fit<std::uint16_t>(weight, [&] {
                return "autoencoder.weights[" + std::to_string(spec.weights.size()) + "]";
            }));
        }
        spec.shift = fit<std::uint8_t>(in.shift(), [] { return "autoencoder.shift"; });
        spec.offset = fit<std::int32_t>(in.offset(), [] { return "autoencoder.offset"; });
        return spec;
    }

    SequenceSpec sequence(const pb::Sequence& in) {
        SequenceSpec spec;
        spec.steps = in.steps();
        spec.convolutions = layers<Convolution>(in.convolutions(), "sequence.convolutions");
        for (std::size_t i = 0; i < spec.convolutions.size(); ++i) {
            const pb::Convolution& from = in.convolutions(static_cast<int>(i));
            spec.convolutions[i].kernel = from.kernel();
            spec.convolutions[i].stride = from.stride();
            spec.convolutions[i].padding = from.padding();
            spec.convolutions[i].pool = from.pool();
        }
        const auto* const pooling = std::find(kPoolings.begin(), kPoolings.end(), in.pooling());
        if (pooling == kPoolings.end()) {
            refuse(
                "sequence.pooling",
                "unknown kind " + std::to_string(static_cast<int>(in.pooling())));
        } else {
            spec.pooling = static_cast<SequencePooling>(pooling - kPoolings.begin());
        }
        spec.dense = layers<MlpLayer>(in.dense(), "sequence.dense");
        return spec;
    }

    OnednnSpec onednn(const pb::Onednn& in) {
        if (in.has_int8()) {
            return {OnednnInt8{layers<MlpLayer>(in.int8().layers(), "onednn.int8.layers")}};
        }
        OnednnF32 net;
        net.raw_scale = in.f32().raw_scale();
        for (const pb::F32Layer& from : in.f32().layers()) {
            net.layers.push_back(
                {from.in(),
                 from.out(),
                 {from.weights().begin(), from.weights().end()},
                 {from.bias().begin(), from.bias().end()}});
        }
        return {std::move(net)};
    }

    ForestSpec forest(const pb::Forest& in) {
        ForestSpec spec;
        spec.inputs = in.inputs();
        spec.base.assign(in.base().begin(), in.base().end());
        spec.trees.reserve(static_cast<std::size_t>(in.trees_size()));
        for (const pb::Tree& from : in.trees()) {
            const std::string path = "forest.trees[" + std::to_string(spec.trees.size()) + "]";
            spec.trees.push_back(tree(from, path));
        }
        return spec;
    }

    ForestTree tree(const pb::Tree& in, const std::string& path) {
        ForestTree out;
        out.output = in.output();
        const std::size_t nodes = in.features().size();
        const auto column = [&](const char* name, std::size_t size) {
            if (size != nodes) {
                refuse(
                    path + '.' + name,
                    std::to_string(size) + " values, but features has " + std::to_string(nodes));
            }
            return size == nodes;
        };
        if (!column("thresholds", in.thresholds().size()) ||
            !column("left", static_cast<std::size_t>(in.left_size())) ||
            !column("right", static_cast<std::size_t>(in.right_size()))) {
            return out;
        }
        out.nodes.resize(nodes);
        for (std::size_t i = 0; i < nodes; ++i) {
            const int n = static_cast<int>(i);
            out.nodes[i] = {
                static_cast<std::uint8_t>(in.features()[i]),
                static_cast<std::uint8_t>(in.thresholds()[i]),
                in.left(n),
                in.right(n)};
        }
        out.leaves.reserve(static_cast<std::size_t>(in.leaves_size()));
        for (const std::int32_t leaf : in.leaves()) {
            out.leaves.push_back(fit<std::int16_t>(
                leaf, [&] { return path + ".leaves[" + std::to_string(out.leaves.size()) + "]"; }));
        }
        return out;
    }

    HeadSpec head(const pb::Head& in) {
        HeadSpec spec;
        if (in.kind() != pb::HEAD_KIND_SOFTMAX && in.kind() != pb::HEAD_KIND_SIGMOID) {
            refuse("head.kind", "unknown kind " + std::to_string(static_cast<int>(in.kind())));
        }
        spec.kind = in.kind() == pb::HEAD_KIND_SIGMOID ? HeadKind::sigmoid : HeadKind::softmax;
        spec.scale_q16 = fit<std::int32_t>(in.scale_q16(), [] { return "head.scale_q16"; });
        for (const pb::CalibrationPoint& point : in.calibration()) {
            const auto path = [&](const char* axis) {
                return "head.calibration[" + std::to_string(spec.calibration.size()) + "]." + axis;
            };
            const auto x = fit<std::uint16_t>(point.in(), [&] { return path("in"); });
            const auto y = fit<std::uint16_t>(point.out(), [&] { return path("out"); });
            spec.calibration.push_back({x, y});
        }
        return spec;
    }

    // Paths are built only for what is refused: a forest has millions of numbers.
    template <typename To, typename From, typename Path>
    To fit(From value, Path path) {
        if (!std::in_range<To>(value)) {
            refuse(
                path(),
                std::to_string(value) + " is not in " +
                    std::to_string(std::numeric_limits<To>::min()) + "…" +
                    std::to_string(std::numeric_limits<To>::max()));
            return To{};
        }
        return static_cast<To>(value);
    }

    void refuse(std::string field, std::string what) {
        if (ok_) {
            ok_ = false;
            error_ = {
                where_, std::move(field), std::move(what), "make the bundle anew with weirlab"};
        }
    }

    const std::string& where_;
    bool ok_ = true;
    Error error_;
};

}  // namespace

void to_proto(const Bundle& bundle, pb::Bundle& out) {
    out.set_format(format_of(bundle.network));
    manifest_to_proto(bundle, *out.mutable_manifest());
    for (const BundleInput& input : bundle.inputs) {
        pb::Input& to = *out.add_inputs();
        to.set_feature(input.feature);
        to.set_encoder(input.encoder);
    }
    std::visit([&](const auto& spec) { to_proto(spec, out); }, bundle.network);
    to_proto(bundle.head, *out.mutable_head());
    out.mutable_classes()->Assign(bundle.classes.begin(), bundle.classes.end());
    out.mutable_thresholds()->Assign(bundle.thresholds.begin(), bundle.thresholds.end());
    for (const CodeHistogram& histogram : bundle.histograms) {
        out.add_histograms()->mutable_counts()->Assign(histogram.begin(), histogram.end());
    }
    for (const GoldenVector& golden : bundle.golden) {
        pb::Golden& to = *out.add_golden();
        to.set_codes(to_bytes(golden.codes));
        to.mutable_raw()->Assign(golden.raw.begin(), golden.raw.end());
    }
}

Result<Bundle> from_proto(const pb::Bundle& in, const std::string& where) {
    return Reader(where).bundle(in);
}

}  // namespace weir::kernels
