// SPDX-License-Identifier: BSD-3-Clause
// Models and rows from anyone: a spec is refused with a reason, or every variant that this machine runs gives the
// reference's answer bit for bit and writes nothing beyond it.
#include "kernels/autoencoder/variants.h"
#include "kernels/classifier.h"
#include "kernels/forest/variants.h"
#include "kernels/linear/variants.h"
#include "kernels/mlp/variants.h"
#include "kernels/normalized/variants.h"
#include "kernels/onednn/variants.h"
#include "kernels/sequence/variants.h"
#include "tests/fuzz/require.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace {

using weir::fuzz::require;
using namespace weir::kernels;

constexpr std::int32_t kCanary = 0x5eed5eed;
constexpr std::uint32_t kMaxWidth = 40;  // of a layer: larger ones only slow the fuzzer
constexpr std::uint32_t kMaxTrees = 24;
constexpr std::uint32_t kMaxTreeNodes = 150;

/// The input's bytes, and after its end bytes that follow from all of it, so that a short input makes a whole model.
class Source {
  public:
    Source(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {
        for (std::size_t i = 0; i < size; ++i) {
            state_ = (state_ ^ data[i]) * 16777619U;
        }
    }

    std::uint8_t byte() {
        if (at_ < size_) {
            return data_[at_++];
        }
        state_ = state_ * 1664525U + 1013904223U;
        return static_cast<std::uint8_t>(state_ >> 24);
    }
    std::uint32_t word() {
        std::uint32_t value = 0;
        for (int i = 0; i < 4; ++i) {
            value = value << 8 | byte();
        }
        return value;
    }
    /// low…high, both included.
    std::uint32_t range(std::uint32_t low, std::uint32_t high) {
        return low + word() % (high - low + 1);
    }
    /// A code or threshold: the ends more often than they would come by chance.
    std::uint8_t code() {
        const std::uint8_t kind = byte() & 7U;
        return kind == 0 ? std::uint8_t{0} : kind == 1 ? std::uint8_t{255} : byte();
    }

  private:
    const std::uint8_t* data_;
    std::size_t size_;
    std::size_t at_ = 0;
    std::uint32_t state_ = 2166136261U;
};

/// Weights and scales as they come; now and then a shift that no layer may have.
template <typename Layer>
void fill(Source& source, std::uint32_t taps, Layer& layer) {
    layer.shift = static_cast<std::uint8_t>(source.range(0, 17));
    for (std::uint32_t n = 0; n < taps * layer.out; ++n) {
        const auto weight = static_cast<std::int8_t>(source.byte());
        layer.weights.push_back(std::max<std::int8_t>(weight, -127));
    }
    for (std::uint32_t n = 0; n < layer.out; ++n) {
        const std::uint32_t shift = source.range(7, 31);
        layer.bias.push_back(static_cast<std::int32_t>(source.word()) >> shift);
        layer.multiplier.push_back(static_cast<std::int16_t>(source.word() & 0x7fffU));
    }
}

MlpLayer make_layer(Source& source, std::uint32_t in, std::uint32_t out) {
    MlpLayer layer;
    layer.in = in;
    layer.out = out;
    fill(source, in, layer);
    return layer;
}

std::vector<MlpLayer> make_layers(Source& source, std::uint32_t in, std::uint32_t most) {
    std::vector<MlpLayer> layers;
    for (std::uint32_t i = source.range(1, most); i > 0; --i) {
        layers.push_back(make_layer(source, in, source.range(1, kMaxWidth)));
        in = layers.back().out;
    }
    return layers;
}

MlpSpec make_mlp(Source& source) {
    return {make_layers(source, source.range(1, kMaxWidth), kMlpMaxLayers)};
}

LinearSpec make_linear(Source& source) {
    const std::uint32_t in = source.range(1, source.byte() < 32 ? kMaxInputs : kMaxWidth);
    return {make_layer(source, in, source.range(1, kMaxOutputs))};
}

AutoencoderSpec make_autoencoder(Source& source) {
    AutoencoderSpec spec;
    const std::uint32_t width = source.range(1, kMaxWidth);
    spec.layers = make_layers(source, width, kMlpMaxLayers - 1);
    spec.layers.push_back(make_layer(source, spec.layers.back().out, width));
    const std::uint32_t less = source.range(0, 15);
    for (std::uint32_t k = 0; k < width; ++k) {
        spec.weights.push_back(static_cast<std::uint16_t>((source.word() & 0xffffU) >> less));
    }
    spec.shift = static_cast<std::uint8_t>(source.range(0, 24));
    spec.offset = static_cast<std::int32_t>(source.word() & 0x7fffffffU);
    return spec;
}

SequenceSpec make_sequence(Source& source) {
    SequenceSpec spec;
    spec.steps = source.range(1, kSequenceMaxSteps);
    spec.pooling = static_cast<SequencePooling>(source.range(0, 2));
    std::uint32_t channels = kSequenceChannels;
    std::uint32_t positions = spec.steps;
    for (std::uint32_t i = source.range(1, kSequenceMaxConvolutions); i > 0; --i) {
        Convolution layer;
        layer.in = channels;
        layer.out = source.range(1, 20);
        layer.kernel = 1 + 2 * source.range(0, 2);
        layer.stride = source.byte() < 64 ? source.range(1, kSequenceMaxStride) : 1;
        layer.padding = source.range(0, layer.kernel / 2);
        layer.pool = source.byte() < 64 ? source.range(1, kSequenceMaxPool) : 1;
        fill(source, layer.kernel * layer.in, layer);
        channels = layer.out;
        positions = layer.pooled(positions);
        spec.convolutions.push_back(std::move(layer));
    }
    const bool flat = spec.pooling == SequencePooling::flatten;
    spec.dense = make_layers(source, flat ? channels * positions : channels, kSequenceMaxDense);
    return spec;
}

OnednnSpec make_onednn(Source& source) {
    return {OnednnInt8{make_layers(source, source.range(1, kMaxWidth), 8)}};
}

/// Any numbers at all in place of a tree's children: nearly always refused.
ForestTree make_wild_tree(Source& source) {
    ForestTree tree;
    const std::uint32_t nodes = source.range(0, 6);
    for (std::uint32_t i = 0; i < nodes; ++i) {
        tree.nodes.push_back(
            {source.byte(),
             source.code(),
             static_cast<std::int32_t>(source.range(0, 2 * nodes + 2)) -
                 static_cast<std::int32_t>(nodes) - 1,
             source.byte() == 0 ? static_cast<std::int32_t>(source.word())
                                : static_cast<std::int32_t>(source.range(0, 2 * nodes)) -
                                      static_cast<std::int32_t>(nodes)});
    }
    tree.leaves.resize(nodes + source.range(0, 2), 1);
    return tree;
}

/// Splits a leaf at a time, wherever the input says.
ForestTree make_tree(Source& source, std::uint32_t inputs) {
    struct Open {
        std::int32_t parent;
        bool right;
        std::uint32_t depth;
    };
    ForestTree tree;
    std::vector<Open> open{{-1, false, 0}};
    const auto hang = [&](const Open& at, std::int32_t child) {
        if (at.parent >= 0) {
            auto& node = tree.nodes[static_cast<std::size_t>(at.parent)];
            (at.right ? node.right : node.left) = child;
        }
    };
    const std::uint32_t nodes = source.range(0, source.byte() < 64 ? kMaxTreeNodes : 20);
    const bool deep = (source.byte() & 1U) != 0;
    for (std::uint32_t i = 0; i < nodes; ++i) {
        const std::size_t pick = deep && (source.byte() & 3U) != 0
                                     ? open.size() - 1
                                     : source.range(0, static_cast<std::uint32_t>(open.size()) - 1);
        const Open at = open[pick];
        if (at.depth == kForestMaxDepth) {
            continue;
        }
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(pick));
        const auto node = static_cast<std::int32_t>(tree.nodes.size());
        tree.nodes.push_back(
            {static_cast<std::uint8_t>(source.range(0, inputs - 1)), source.code(), 0, 0});
        hang(at, node);
        open.push_back({node, false, at.depth + 1});
        open.push_back({node, true, at.depth + 1});
    }
    for (const Open& at : open) {
        hang(at, ~static_cast<std::int32_t>(tree.leaves.size()));
        tree.leaves.push_back(static_cast<std::int16_t>(source.word()));
    }
    return tree;
}

ForestSpec make_forest(Source& source) {
    ForestSpec spec;
    spec.inputs = source.range(1, source.byte() < 32 ? kForestMaxInputs : 33);
    const std::uint32_t outputs = source.range(1, source.byte() < 32 ? kForestMaxOutputs : 3);
    for (std::uint32_t o = 0; o < outputs; ++o) {
        spec.base.push_back(static_cast<std::int32_t>(source.word()) >> 1);
    }
    const std::uint32_t trees = source.range(0, kMaxTrees);
    const bool wild = source.byte() < 16;
    for (std::uint32_t t = 0; t < trees; ++t) {
        const bool any = wild && (source.byte() & 1U) != 0;
        spec.trees.push_back(any ? make_wild_tree(source) : make_tree(source, spec.inputs));
        spec.trees.back().output = source.range(0, outputs - (any ? 0 : 1));
    }
    return spec;
}

/// Mostly columns within their bounds; an end or a grid beyond them now and then.
NormalizedSpec make_normalized(Source& source, std::variant<MlpSpec, ForestSpec> network) {
    NormalizedSpec spec;
    spec.norm = static_cast<RowNorm>(source.range(0, 2));
    spec.network = std::move(network);
    const auto* forest = std::get_if<ForestSpec>(&spec.network);
    const auto* mlp = std::get_if<MlpSpec>(&spec.network);
    const std::uint32_t inputs = forest != nullptr     ? forest->inputs
                                 : mlp->layers.empty() ? 1
                                                       : mlp->inputs();
    const std::uint32_t bits = source.range(1, 32);
    const auto any = [&] { return static_cast<std::int32_t>(source.word()) >> (32 - bits); };
    for (std::uint32_t k = 0; k < std::min(inputs, kMaxInputs); ++k) {
        NormColumn column{any() >> 9, any() >> 2, source.range(1, 1U << 28), any() >> 10};
        if (spec.norm == RowNorm::max) {
            column.scale = column.scale < 0 ? ~column.scale : column.scale;
            column.offset = column.offset < 0 ? ~column.offset : column.offset;
        }
        spec.columns.push_back(column);
    }
    if (!spec.columns.empty() && source.byte() < 16) {
        NormColumn& column = spec.columns[source.byte() % spec.columns.size()];
        column = {any(), any(), source.word(), any()};
    }
    return spec;
}

/// A call's rows, each with what lies between it and the next; nothing after the last, so a sanitizer sees a read there.
struct Call {
    std::uint32_t n = 0;
    std::size_t stride = 0;
    std::vector<std::uint8_t> rows;
};

Call make_call(Source& source, std::uint32_t inputs) {
    Call call;
    call.n = source.range(0, source.byte() < 16 ? kMaxRows : 140);
    call.stride = inputs + source.range(0, 40);
    call.rows.resize(call.n == 0 ? 0 : (call.n - 1) * call.stride + inputs);
    const bool ends = source.byte() < 64;
    for (std::uint8_t& code : call.rows) {
        code = ends ? source.code() : source.byte();
    }
    return call;
}

std::vector<std::int32_t> run(const Classifier& classifier, const Call& call) {
    const std::size_t values = std::size_t{call.n} * classifier.outputs();
    std::vector<std::int32_t> out(values + 1, kCanary);
    const std::align_val_t line{64};
    auto* scratch = static_cast<std::byte*>(
        ::operator new(std::max<std::size_t>(classifier.scratch_bytes(), 1), line));
    classifier.score(call.rows.data(), call.stride, call.n, out.data(), scratch);
    ::operator delete(scratch, line);
    require(out[values] == kCanary);
    return out;
}

void check_variants(const Network& network, std::span<const Isa> isas, Source& source) {
    const auto reference = make_classifier(network, Isa::scalar);
    if (!reference) {
        require(!reference.error().field.empty() && !reference.error().what.empty());
        require(!make_classifier(network).has_value());
        return;
    }
    require(predicted_cycles_per_row(network, Isa::scalar) >= 0);
    const Call first = make_call(source, (*reference)->inputs());
    const Call second = make_call(source, (*reference)->inputs());
    for (const Isa isa : isas) {
        if (!isa_supported(isa)) {
            continue;
        }
        const auto variant = make_classifier(network, isa);
        require(variant.has_value() && (*variant)->isa() == isa);
        require(run(**variant, first) == run(**reference, first));
        require(run(**variant, second) == run(**reference, second));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Source source(data, size);
    switch (source.byte() % 10) {
        case 8: {
            const auto spec = make_normalized(source, make_mlp(source));
            check_variants(spec, normalized_isas(spec), source);
            break;
        }
        case 9: {
            const auto spec = make_normalized(source, make_forest(source));
            check_variants(spec, normalized_isas(spec), source);
            break;
        }
        case 0:
            check_variants(make_linear(source), linear_isas(), source);
            break;
        case 1:
        case 3:
            check_variants(make_mlp(source), mlp_isas(), source);
            break;
        case 5:
            check_variants(make_autoencoder(source), autoencoder_isas(), source);
            break;
        case 7:
            check_variants(make_sequence(source), sequence_isas(), source);
            break;
        case 2: {
            const OnednnSpec spec = make_onednn(source);
            check_variants(spec, onednn_isas(spec), source);
            break;
        }
        default:
            check_variants(make_forest(source), forest_isas(), source);
    }
    return 0;
}
