// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/model/bundle.pb.h"
#include "kernels/model/convert.h"
#include "kernels/model/convert_kinds.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace weir::kernels {
namespace {

namespace pb = model::v1;

template <typename T>
std::vector<T> from_bytes(const std::string& bytes) {
    static_assert(sizeof(T) == 1);
    std::vector<T> out(bytes.size());
    std::transform(
        bytes.begin(), bytes.end(), out.begin(), [](char c) { return static_cast<T>(c); });
    return out;
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
                return forest(in.forest(), "forest");
            case pb::Bundle::kOnednn:
                return onednn(in.onednn());
            case pb::Bundle::kNormalized:
                return normalized(in.normalized());
            case pb::Bundle::NETWORK_NOT_SET:  // check_wire() saw to one
                break;
        }
        refuse("network", "missing");
        return {};
    }

    // The index of `kind` in `kinds`, which is the type in memory.
    template <typename To, typename Kinds, typename Kind>
    To kind_of(const Kinds& kinds, Kind kind, const char* path) {
        const auto* const found = std::find(kinds.begin(), kinds.end(), kind);
        if (found == kinds.end()) {
            refuse(path, "unknown kind " + std::to_string(static_cast<int>(kind)));
            return To{};
        }
        return static_cast<To>(found - kinds.begin());
    }

    NormalizedSpec normalized(const pb::Normalized& in) {
        NormalizedSpec spec;
        spec.norm = kind_of<RowNorm>(kRowNorms, in.norm(), "normalized.norm");
        for (const pb::NormColumn& column : in.columns()) {
            spec.columns.push_back(
                {column.scale(), column.offset(), column.gain_q8(), column.zero()});
        }
        if (in.has_forest()) {
            spec.network = forest(in.forest(), "normalized.forest");
        } else {
            spec.network = MlpSpec{layers<MlpLayer>(in.mlp().layers(), "normalized.mlp.layers")};
        }
        return spec;
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
        spec.pooling = kind_of<SequencePooling>(kPoolings, in.pooling(), "sequence.pooling");
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

    ForestSpec forest(const pb::Forest& in, const std::string& root) {
        ForestSpec spec;
        spec.inputs = in.inputs();
        spec.base.assign(in.base().begin(), in.base().end());
        spec.trees.reserve(static_cast<std::size_t>(in.trees_size()));
        for (const pb::Tree& from : in.trees()) {
            const std::string path = root + ".trees[" + std::to_string(spec.trees.size()) + "]";
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

Result<Bundle> from_proto(const pb::Bundle& in, const std::string& where) {
    return Reader(where).bundle(in);
}

}  // namespace weir::kernels
