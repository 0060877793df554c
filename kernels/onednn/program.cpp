// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/onednn/program.h"

#include <algorithm>
#include <span>
#include <type_traits>

#include <omp.h>

namespace weir::kernels {
namespace {

using dnnl::memory;
using tag = memory::format_tag;
using type = memory::data_type;

constexpr std::uint32_t kInt8Rows[] = {1, 8, 32, 64, 256};
// A single size: which kernel oneDNN takes, so the order it sums in, may depend on the batch.
constexpr std::uint32_t kF32Rows[] = {16};
constexpr std::size_t kMaxBatchValues = std::size_t{1} << 18;

memory::dim dim(std::uint32_t size) {
    return static_cast<memory::dim>(size);
}

template <typename T>
memory filled(const memory::desc& desc, const dnnl::engine& engine, const std::vector<T>& values) {
    memory to(desc, engine);
    std::copy(values.begin(), values.end(), static_cast<T*>(to.get_data_handle()));
    return to;
}

// Sizes often agree on how weights lie: one copy then serves them all.
memory reordered(
    const memory::desc& wanted, memory& plain, std::vector<memory>& kept, dnnl::stream stream) {
    const auto same = std::find_if(
        kept.begin(), kept.end(), [&](const memory& have) { return have.get_desc() == wanted; });
    if (same != kept.end()) {
        return *same;
    }
    memory to(wanted, plain.get_engine());
    dnnl::reorder(plain, to).execute(stream, plain, to);
    stream.wait();
    kept.push_back(to);
    return to;
}

dnnl::primitive_attr attributes_of(bool relu) {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (relu) {
        dnnl::post_ops after;
        after.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
        attributes.set_post_ops(after);
    }
    return attributes;
}

template <typename Layer>
class LayerBuilder {
  public:
    static constexpr bool kInt8 = std::is_same_v<Layer, MlpLayer>;

    LayerBuilder(const Layer& layer, bool last, const dnnl::engine& engine)
        : layer_(layer), attributes_(attributes_of(!kInt8 && !last)), engine_(engine) {
        const memory::dims shape{dim(layer.out), dim(layer.in)};
        plain_ = filled({shape, kInt8 ? type::s8 : type::f32, tag::ab}, engine, layer.weights);
        if constexpr (!kInt8) {
            bias_ = filled({{dim(layer.out)}, type::f32, tag::a}, engine, layer.bias);
        }
    }

    OnednnStep step(std::uint32_t rows) {
        const memory::desc source(
            {dim(rows), dim(layer_.in)}, kInt8 ? type::u8 : type::f32, tag::ab);
        const memory::desc target(
            {dim(rows), dim(layer_.out)}, kInt8 ? type::s32 : type::f32, tag::ab);
        const memory::desc weights(
            {dim(layer_.out), dim(layer_.in)}, kInt8 ? type::s8 : type::f32, tag::any);
        const auto found = describe(source, weights, target);
        OnednnStep step;
        step.primitive = dnnl::inner_product_forward(found);
        step.source = source;
        step.target = target;
        step.scratchpad = found.scratchpad_desc();
        step.weights = reordered(found.weights_desc(), plain_, reordered_, dnnl::stream(engine_));
        step.bias = bias_;
        return step;
    }

  private:
    [[nodiscard]] dnnl::inner_product_forward::primitive_desc describe(
        const memory::desc& source, const memory::desc& weights, const memory::desc& target) const {
        constexpr auto kKind = dnnl::prop_kind::forward_inference;
        if constexpr (kInt8) {
            return {{kKind, source, weights, target}, attributes_, engine_};
        } else {
            return {{kKind, source, weights, bias_.get_desc(), target}, attributes_, engine_};
        }
    }

    const Layer& layer_;
    dnnl::primitive_attr attributes_;
    dnnl::engine engine_;
    memory plain_;
    memory bias_;
    std::vector<memory> reordered_;
};

template <typename Layer>
void add_layers(
    const std::vector<Layer>& layers, std::span<const std::uint32_t> sizes, OnednnProgram& to) {
    to.widest = layers.front().in;
    for (const Layer& layer : layers) {
        to.widest = std::max(to.widest, layer.out);
    }
    for (const std::uint32_t rows : sizes) {
        if (to.batches.empty() || std::size_t{rows} * to.widest <= kMaxBatchValues) {
            to.batches.push_back({rows, {}});
        }
    }
    for (std::size_t i = 0; i < layers.size(); ++i) {
        LayerBuilder<Layer> builder(layers[i], i + 1 == layers.size(), to.engine);
        for (OnednnBatch& batch : to.batches) {
            batch.steps.push_back(builder.step(batch.rows));
            to.scratchpad_bytes =
                std::max(to.scratchpad_bytes, batch.steps.back().scratchpad.get_size());
        }
    }
}

}  // namespace

OneThread::OneThread() noexcept : before_(omp_get_max_threads()) {
    if (before_ != 1) {
        omp_set_num_threads(1);
    }
}

OneThread::~OneThread() {
    if (before_ != 1) {
        omp_set_num_threads(before_);
    }
}

void prepare_onednn_thread() noexcept {
    omp_set_num_threads(1);
}

OnednnProgram build_onednn_program(const OnednnSpec& spec) {
    const OneThread alone;
    OnednnProgram program;
    program.engine = dnnl::engine(dnnl::engine::kind::cpu, 0);
    if (const auto* int8 = std::get_if<OnednnInt8>(&spec.network)) {
        add_layers(int8->layers, kInt8Rows, program);
    } else if (const auto* f32 = std::get_if<OnednnF32>(&spec.network)) {
        add_layers(f32->layers, kF32Rows, program);
    }
    return program;
}

OnednnSlot::OnednnSlot(const OnednnProgram& program) : stream_(program.engine) {
    for (const OnednnBatch& batch : program.batches) {
        std::vector<Call>& calls = calls_.emplace_back();
        for (const OnednnStep& step : batch.steps) {
            Call call{
                &step.primitive,
                memory(step.source, program.engine, DNNL_MEMORY_NONE),
                memory(step.target, program.engine, DNNL_MEMORY_NONE),
                memory(step.scratchpad, program.engine, DNNL_MEMORY_NONE),
                step.scratchpad.get_size() != 0,
                {}};
            call.arguments = {
                {DNNL_ARG_SRC, call.source.get()},
                {DNNL_ARG_WEIGHTS, step.weights.get()},
                {DNNL_ARG_DST, call.target.get()}};
            if (call.needs_scratchpad) {
                call.arguments.push_back({DNNL_ARG_SCRATCHPAD, call.scratchpad.get()});
            }
            if (step.bias) {
                call.arguments.push_back({DNNL_ARG_BIAS, step.bias.get()});
            }
            calls.push_back(std::move(call));
        }
    }
}

// The C calls: the C++ ones throw, and copy their arguments into a map and a vector.
bool OnednnSlot::run(
    std::size_t batch,
    std::size_t step,
    const void* source,
    void* target,
    void* scratchpad) noexcept {
    const Call& call = calls_[batch][step];
    return dnnl_memory_set_data_handle(call.source.get(), const_cast<void*>(source)) ==
               dnnl_success &&
           dnnl_memory_set_data_handle(call.target.get(), target) == dnnl_success &&
           (!call.needs_scratchpad ||
            dnnl_memory_set_data_handle(call.scratchpad.get(), scratchpad) == dnnl_success) &&
           dnnl_primitive_execute(
               call.primitive->get(),
               stream_.get(),
               static_cast<int>(call.arguments.size()),
               call.arguments.data()) == dnnl_success;
}

}  // namespace weir::kernels
