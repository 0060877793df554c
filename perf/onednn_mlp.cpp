// SPDX-License-Identifier: BSD-3-Clause
#include "perf/onednn_mlp.h"

#include <oneapi/dnnl/dnnl.hpp>

namespace weir::perf {
namespace {

using dnnl::memory;
using tag = memory::format_tag;
using type = memory::data_type;

struct Step {
    dnnl::inner_product_forward primitive;
    std::vector<dnnl_exec_arg_t> arguments;
};

std::vector<float> scales(const kernels::MlpLayer& layer) {
    std::vector<float> out;
    for (const std::int16_t multiplier : layer.multiplier) {
        out.push_back(
            static_cast<float>(multiplier) / 32768.0F / static_cast<float>(1 << layer.shift));
    }
    return out;
}

}  // namespace

struct OnednnMlp::State {
    dnnl::engine engine{dnnl::engine::kind::cpu, 0};
    dnnl::stream stream{engine};
    std::vector<memory> memories;  // everything that `steps` points to
    std::vector<Step> steps;
    void* input = nullptr;
    void* output = nullptr;

    memory add_layer(
        const kernels::MlpLayer& layer, const memory& source, std::uint32_t rows, bool last) {
        const memory::desc weights_any(
            {std::int64_t{layer.out}, std::int64_t{layer.in}}, type::s8, tag::any);
        const memory::desc bias_desc({std::int64_t{layer.out}}, type::s32, tag::a);
        const memory::desc to_desc(
            {std::int64_t{rows}, std::int64_t{layer.out}}, last ? type::f32 : type::u8, tag::ab);
        dnnl::primitive_attr attributes;
        attributes.set_output_scales(1 << 1, scales(layer));
        attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
        const dnnl::inner_product_forward::primitive_desc found(
            {dnnl::prop_kind::forward_inference,
             source.get_desc(),
             weights_any,
             bias_desc,
             to_desc},
            attributes,
            engine);

        memory plain(
            {{std::int64_t{layer.out}, std::int64_t{layer.in}}, type::s8, tag::ab}, engine);
        std::copy(
            layer.weights.begin(),
            layer.weights.end(),
            static_cast<std::int8_t*>(plain.get_data_handle()));
        memory weights(found.weights_desc(), engine);
        dnnl::reorder(plain, weights).execute(stream, plain, weights);
        stream.wait();
        memory bias(bias_desc, engine);
        std::copy(
            layer.bias.begin(),
            layer.bias.end(),
            static_cast<std::int32_t*>(bias.get_data_handle()));
        memory to(to_desc, engine);
        memory scratch(found.scratchpad_desc(), engine);

        steps.push_back(
            {dnnl::inner_product_forward(found),
             {{DNNL_ARG_SRC, source.get()},
              {DNNL_ARG_WEIGHTS, weights.get()},
              {DNNL_ARG_BIAS, bias.get()},
              {DNNL_ARG_DST, to.get()},
              {DNNL_ARG_SCRATCHPAD, scratch.get()}}});
        memories.insert(memories.end(), {weights, bias, to, scratch});
        return to;
    }
};

OnednnMlp::OnednnMlp(const kernels::MlpSpec& spec, std::uint32_t rows)
    : state_(std::make_unique<State>()) {
    memory at(
        {{std::int64_t{rows}, std::int64_t{spec.inputs()}}, type::u8, tag::ab}, state_->engine);
    state_->memories.push_back(at);
    state_->input = at.get_data_handle();
    for (std::size_t i = 0; i < spec.layers.size(); ++i) {
        // u8 destinations saturate below 0, which is the ReLU: no post-op to pay for.
        at = state_->add_layer(spec.layers[i], at, rows, i + 1 == spec.layers.size());
    }
    state_->output = at.get_data_handle();
}

OnednnMlp::~OnednnMlp() = default;

std::uint8_t* OnednnMlp::input() noexcept {
    return static_cast<std::uint8_t*>(state_->input);
}

const float* OnednnMlp::output() const noexcept {
    return static_cast<const float*>(state_->output);
}

// The C call: the C++ one copies its arguments into a map and a vector each time.
void OnednnMlp::run() {
    for (const Step& step : state_->steps) {
        dnnl_primitive_execute(
            step.primitive.get(),
            state_->stream.get(),
            static_cast<int>(step.arguments.size()),
            step.arguments.data());
    }
}

}  // namespace weir::perf
