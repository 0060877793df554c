// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/model/bundle.pb.h"
#include "kernels/model/convert.h"
#include "kernels/model/convert_kinds.h"

#include <array>

namespace weir::kernels {
namespace {

namespace pb = model::v1;

template <typename T>
std::string to_bytes(const std::vector<T>& values) {
    static_assert(sizeof(T) == 1);
    return {reinterpret_cast<const char*>(values.data()), values.size()};
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

void to_message(const MlpSpec& spec, pb::Mlp& out) {
    for (const MlpLayer& layer : spec.layers) {
        numbers_to_proto(layer, *out.add_layers());
    }
}

void to_proto(const MlpSpec& spec, pb::Bundle& out) {
    to_message(spec, *out.mutable_mlp());
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

void to_message(const ForestSpec& spec, pb::Forest& out) {
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

void to_proto(const ForestSpec& spec, pb::Bundle& out) {
    to_message(spec, *out.mutable_forest());
}

void to_proto(const NormalizedSpec& spec, pb::Bundle& bundle) {
    pb::Normalized& out = *bundle.mutable_normalized();
    out.set_norm(kRowNorms.at(static_cast<std::size_t>(spec.norm)));
    for (const NormColumn& column : spec.columns) {
        pb::NormColumn& to = *out.add_columns();
        to.set_scale(column.scale);
        to.set_offset(column.offset);
        to.set_gain_q8(column.gain_q8);
        to.set_zero(column.zero);
    }
    if (const auto* forest = std::get_if<ForestSpec>(&spec.network)) {
        to_message(*forest, *out.mutable_forest());
    } else {
        to_message(std::get<MlpSpec>(spec.network), *out.mutable_mlp());
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
    if (std::holds_alternative<NormalizedSpec>(network)) {
        return 3;
    }
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

}  // namespace weir::kernels
