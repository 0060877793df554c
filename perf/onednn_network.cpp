// SPDX-License-Identifier: BSD-3-Clause
#include "perf/onednn_network.h"

#include <algorithm>
#include <functional>

#include <oneapi/dnnl/dnnl.hpp>

namespace weir::perf {
namespace {

using dnnl::memory;
using dims = memory::dims;
using tag = memory::format_tag;
using type = memory::data_type;
using kernels::AutoencoderSpec;
using kernels::Convolution;
using kernels::MlpLayer;
using kernels::SequencePooling;
using kernels::SequenceSpec;

struct Step {
    dnnl::primitive primitive;
    std::vector<dnnl_exec_arg_t> arguments;
};

template <typename Layer>
dnnl::primitive_attr requantization(const Layer& layer) {
    std::vector<float> scales;
    for (const std::int16_t multiplier : layer.multiplier) {
        scales.push_back(
            static_cast<float>(multiplier) / 32768.0F / static_cast<float>(1 << layer.shift));
    }
    dnnl::primitive_attr attributes;
    attributes.set_output_scales(1 << 1, scales);
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    return attributes;
}

// A user's own loop behind the library's layers, vectorized.
__attribute__((target("avx2"), optimize("O3"))) std::int64_t weighted_error(
    const std::uint8_t* x, const std::uint8_t* y, const std::int32_t* weights, std::size_t n) {
    std::int64_t sum = 0;
    for (std::size_t k = 0; k < n; ++k) {
        const std::int32_t off = x[k] - y[k];
        sum += static_cast<std::uint32_t>(off * off) * static_cast<std::uint32_t>(weights[k]);
    }
    return sum;
}

// Positions × channels as the first convolution reads them, what was not seen at both ends.
void interleave(const SequenceSpec& spec, const std::uint8_t* codes, std::uint8_t* to) {
    const std::uint32_t padding = spec.convolutions.front().padding;
    for (std::uint32_t t = 0; t < spec.steps + 2 * padding; ++t) {
        const bool seen = t >= padding && t < padding + spec.steps;
        const std::uint32_t at = t - padding;
        *to++ = seen ? codes[at] : kernels::kSequenceUnseen[0];
        *to++ = seen && at > 0 ? codes[spec.steps + at - 1] : kernels::kSequenceUnseen[1];
    }
}

}  // namespace

struct OnednnNetwork::State {
    explicit State(std::uint32_t batch) : rows(batch) {}

    dnnl::engine engine{dnnl::engine::kind::cpu, 0};
    dnnl::stream stream{engine};
    std::uint32_t rows;
    std::vector<memory> memories;  // everything that `steps` points to
    std::vector<Step> steps;
    std::uint8_t* input = nullptr;
    std::function<void(const std::uint8_t*)> take;  // codes into `input`
    std::function<void()> finish;  // after the last primitive, if there is more to do
    std::span<const float> output;
    std::vector<float> errors;

    memory make(const dims& shape, type of, tag layout) {
        memory made({shape, of, layout}, engine);
        memories.push_back(made);
        return made;
    }

    // In the layout that the primitive prefers.
    memory reordered(
        const std::vector<std::int8_t>& from,
        const dims& shape,
        tag layout,
        const memory::desc& wanted) {
        memory plain({shape, type::s8, layout}, engine);
        std::copy(from.begin(), from.end(), static_cast<std::int8_t*>(plain.get_data_handle()));
        memory weights(wanted, engine);
        dnnl::reorder(plain, weights).execute(stream, plain, weights);
        stream.wait();
        memories.push_back(weights);
        return weights;
    }

    memory bias_of(const std::vector<std::int32_t>& values) {
        memory bias = make({static_cast<std::int64_t>(values.size())}, type::s32, tag::a);
        std::copy(values.begin(), values.end(), static_cast<std::int32_t*>(bias.get_data_handle()));
        return bias;
    }

    template <typename Descriptor>
    void add_weighted(
        dnnl::primitive primitive,
        const Descriptor& found,
        const memory& source,
        const memory& weights,
        const memory& bias,
        const memory& to) {
        memory scratch(found.scratchpad_desc(), engine);
        memories.push_back(scratch);
        steps.push_back(
            {std::move(primitive),
             {{DNNL_ARG_SRC, source.get()},
              {DNNL_ARG_WEIGHTS, weights.get()},
              {DNNL_ARG_BIAS, bias.get()},
              {DNNL_ARG_DST, to.get()},
              {DNNL_ARG_SCRATCHPAD, scratch.get()}}});
    }

    // u8 destinations saturate below 0, which is the ReLU: no post-op to pay for.
    memory add_dense(const MlpLayer& layer, const memory& source, type to_type) {
        dims shape = source.get_desc().dims();  // rows × inputs, or rows × channels × positions
        shape.front() = layer.out;
        const memory to = make({std::int64_t{rows}, std::int64_t{layer.out}}, to_type, tag::ab);
        const memory bias = bias_of(layer.bias);
        const dnnl::inner_product_forward::primitive_desc found(
            {dnnl::prop_kind::forward_inference,
             source.get_desc(),
             {shape, type::s8, tag::any},
             bias.get_desc(),
             to.get_desc()},
            requantization(layer),
            engine);
        const tag ours = shape.size() == 3 ? tag::acb : tag::ab;
        const memory weights = reordered(layer.weights, shape, ours, found.weights_desc());
        add_weighted(dnnl::inner_product_forward(found), found, source, weights, bias, to);
        return to;
    }

    memory add_layers(std::span<const MlpLayer> layers, memory at, type last) {
        for (const MlpLayer& layer : layers) {
            at = add_dense(layer, at, &layer == &layers.back() ? last : type::u8);
        }
        return at;
    }

    memory add_convolution(const Convolution& layer, const memory& source, bool padded) {
        const std::int64_t given = source.get_desc().dims()[2];
        const std::int64_t padding = padded ? 0 : layer.padding;
        const std::int64_t left = (given + 2 * padding - layer.kernel) / layer.stride + 1;
        const memory to = make({rows, layer.out, left}, type::u8, tag::nwc);
        const memory bias = bias_of(layer.bias);
        const dims shape{layer.out, layer.in, layer.kernel};
        const dnnl::convolution_forward::primitive_desc found(
            {dnnl::prop_kind::forward_inference,
             dnnl::algorithm::convolution_direct,
             source.get_desc(),
             {shape, type::s8, tag::any},
             bias.get_desc(),
             to.get_desc(),
             {layer.stride},
             {padding},
             {padding}},
            requantization(layer),
            engine);
        const memory weights = reordered(layer.weights, shape, tag::acb, found.weights_desc());
        add_weighted(dnnl::convolution_forward(found), found, source, weights, bias, to);
        return layer.pool == 1
                   ? to
                   : add_pooling(dnnl::algorithm::pooling_max, to, layer.pool, left / layer.pool);
    }

    memory add_pooling(
        dnnl::algorithm kind, const memory& source, std::int64_t width, std::int64_t left) {
        const std::int64_t channels = source.get_desc().dims()[1];
        const memory to = make({rows, channels, left}, type::u8, tag::nwc);
        const dnnl::pooling_forward::primitive_desc found(
            {dnnl::prop_kind::forward_inference,
             kind,
             source.get_desc(),
             to.get_desc(),
             {width},
             {width},
             {0},
             {0}},
            engine);
        steps.push_back(
            {dnnl::pooling_forward(found),
             {{DNNL_ARG_SRC, source.get()}, {DNNL_ARG_DST, to.get()}}});
        return to;
    }

    // The input, and rows copied into it as they are.
    memory plain_input(std::uint32_t width) {
        const memory at = make({std::int64_t{rows}, std::int64_t{width}}, type::u8, tag::ab);
        input = static_cast<std::uint8_t*>(at.get_data_handle());
        const std::size_t bytes = std::size_t{rows} * width;
        take = [this, bytes](const std::uint8_t* codes) { std::copy_n(codes, bytes, input); };
        return at;
    }

    void give_floats(const memory& last, std::uint32_t width) {
        output = {static_cast<const float*>(last.get_data_handle()), std::size_t{rows} * width};
    }
};

OnednnNetwork::OnednnNetwork(std::span<const MlpLayer> layers, std::uint32_t rows)
    : state_(std::make_unique<State>(rows)) {
    const memory at = state_->plain_input(layers.front().in);
    state_->give_floats(state_->add_layers(layers, at, type::f32), layers.back().out);
}

OnednnNetwork::OnednnNetwork(const AutoencoderSpec& spec, std::uint32_t rows)
    : state_(std::make_unique<State>(rows)) {
    State& state = *state_;
    const memory last = state.add_layers(spec.layers, state.plain_input(spec.inputs()), type::u8);
    const auto* const made = static_cast<const std::uint8_t*>(last.get_data_handle());
    state.errors.resize(rows);
    state.output = state.errors;
    const std::vector<std::int32_t> weights(spec.weights.begin(), spec.weights.end());
    state.finish = [&state, made, weights, shift = spec.shift, offset = spec.offset] {
        const std::size_t width = weights.size();
        for (std::size_t r = 0; r < state.rows; ++r) {
            const std::int64_t sum =
                weighted_error(state.input + r * width, made + r * width, weights.data(), width);
            state.errors[r] = static_cast<float>((sum >> shift) - offset);
        }
    };
}

OnednnNetwork::OnednnNetwork(const SequenceSpec& spec, std::uint32_t rows)
    : state_(std::make_unique<State>(rows)) {
    State& state = *state_;
    const std::int64_t steps = spec.steps + 2 * spec.convolutions.front().padding;
    memory at = state.make({rows, kernels::kSequenceChannels, steps}, type::u8, tag::nwc);
    state.input = static_cast<std::uint8_t*>(at.get_data_handle());
    state.take = [&state, spec, steps](const std::uint8_t* codes) {
        for (std::size_t r = 0; r < state.rows; ++r) {
            const std::size_t width = static_cast<std::size_t>(steps) * kernels::kSequenceChannels;
            interleave(spec, codes + r * spec.inputs(), state.input + r * width);
        }
    };
    for (const Convolution& layer : spec.convolutions) {
        at = state.add_convolution(layer, at, &layer == &spec.convolutions.front());
    }
    if (spec.pooling != SequencePooling::flatten) {
        const auto kind = spec.pooling == SequencePooling::max
                              ? dnnl::algorithm::pooling_max
                              : dnnl::algorithm::pooling_avg_exclude_padding;
        at = state.add_pooling(kind, at, at.get_desc().dims()[2], 1);
    }
    state.give_floats(state.add_layers(spec.dense, at, type::f32), spec.outputs());
}

OnednnNetwork::~OnednnNetwork() = default;

void OnednnNetwork::set_rows(const std::uint8_t* codes) {
    state_->take(codes);
}

std::span<const float> OnednnNetwork::output() const noexcept {
    return state_->output;
}

// The C call: the C++ one copies its arguments into a map and a vector each time.
void OnednnNetwork::run() {
    for (const Step& step : state_->steps) {
        dnnl_primitive_execute(
            step.primitive.get(),
            state_->stream.get(),
            static_cast<int>(step.arguments.size()),
            step.arguments.data());
    }
    if (state_->finish) {
        state_->finish();
    }
}

}  // namespace weir::perf
