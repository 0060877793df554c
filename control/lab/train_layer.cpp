// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/train_layer.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

namespace weir::lab {
namespace {

using dnnl::memory;
using tag = memory::format_tag;
using type = memory::data_type;

constexpr float kWeights = 127.0F;
constexpr float kEvenness = 64.0F;  // as the quantizer: no neuron's scale is finer than this part
constexpr double kBeta[2] = {0.9, 0.999};
constexpr double kEpsilon = 1e-8;
constexpr double kTwoTo53 = 9007199254740992.0;

memory::dim dim(std::uint32_t n) {
    return static_cast<memory::dim>(n);
}

/// oneDNN's own scratchpad belongs to the thread that made the primitive.
dnnl::primitive_attr own_scratchpad() {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    return attributes;
}

/// The same on every standard library, as std::normal_distribution need not be.
float normal(std::mt19937_64& random) {
    const double u = (static_cast<double>(random() >> 11U) + 1.0) / kTwoTo53;
    const double v = static_cast<double>(random() >> 11U) / kTwoTo53;
    return static_cast<float>(std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * M_PI * v));
}

}  // namespace

LayerParameters::LayerParameters(const LayerShape& shape, Units units, std::uint64_t seed)
    : shape_(shape), units_(std::move(units)) {
    std::mt19937_64 random(seed);
    const std::size_t weights = std::size_t{shape.out} * shape.fan_in();
    const float spread = std::sqrt(2.0F / static_cast<float>(shape.fan_in()));
    for (std::size_t i = 0; i < weights; ++i) {
        latent_.push_back(spread * normal(random));
    }
    latent_bias_.assign(shape.out, 0.0F);
    units_.in_gain.resize(shape.channels, 1.0F);
    units_.center.resize(shape.channels, 0.0F);
    units_.out_gain.resize(shape.out, 1.0F);
    units_.out_offset.resize(shape.out, 0.0F);
    grid_.resize(weights);
    laid_out_.resize(weights);
    bias_.resize(shape.out);
    for (int m = 0; m < 2; ++m) {
        moments_[m].assign(weights, 0.0F);
        bias_moments_[m].assign(shape.out, 0.0F);
    }
    round();
}

float LayerParameters::gain(std::size_t j, std::size_t i) const noexcept {
    return units_.in_gain[i % shape_.channels] * units_.out_gain[j];
}

std::size_t LayerParameters::place(std::size_t j, std::size_t i) const noexcept {
    return shape_.convolution ? i * shape_.out + j : j * shape_.fan_in() + i;
}

void LayerParameters::round() {
    const std::size_t in = shape_.fan_in();
    std::vector<float> step(shape_.out, 0.0F);
    for (std::size_t j = 0; j < shape_.out; ++j) {
        for (std::size_t i = 0; i < in; ++i) {
            step[j] = std::max(step[j], std::abs(latent_[j * in + i] * gain(j, i)) / kWeights);
        }
    }
    const float coarsest = *std::max_element(step.begin(), step.end());
    for (std::size_t j = 0; j < shape_.out; ++j) {
        const float s = std::max({step[j], coarsest / kEvenness, 1e-20F});
        for (std::size_t i = 0; i < in; ++i) {
            const float whole = std::nearbyint(latent_[j * in + i] * gain(j, i) / s);
            grid_[j * in + i] = std::clamp(whole, -kWeights, kWeights) * s;
            laid_out_[place(j, i)] = grid_[j * in + i];
        }
        bias_[j] = latent_bias_[j] * units_.out_gain[j] + units_.out_offset[j];
    }
}

void LayerParameters::update(
    std::span<const float> of_weights,
    std::span<const float> of_bias,
    std::uint32_t step,
    double rate,
    double decay) {
    const double corrected =
        rate * std::sqrt(1.0 - std::pow(kBeta[1], step)) / (1.0 - std::pow(kBeta[0], step));
    const auto adam = [&](float& value, float gradient, float& first, float& second) {
        const auto g = static_cast<double>(gradient);
        first = static_cast<float>(kBeta[0] * static_cast<double>(first) + (1.0 - kBeta[0]) * g);
        second =
            static_cast<float>(kBeta[1] * static_cast<double>(second) + (1.0 - kBeta[1]) * g * g);
        value -= static_cast<float>(
            corrected * static_cast<double>(first) /
            (std::sqrt(static_cast<double>(second)) + kEpsilon));
    };
    const std::size_t in = shape_.fan_in();
    const auto kept = static_cast<float>(1.0 - rate * decay);
    for (std::size_t j = 0; j < shape_.out; ++j) {
        for (std::size_t i = 0; i < in; ++i) {
            const std::size_t at = j * in + i;
            latent_[at] *= kept;
            adam(
                latent_[at],
                of_weights[place(j, i)] * gain(j, i),
                moments_[0][at],
                moments_[1][at]);
        }
        adam(
            latent_bias_[j],
            of_bias[j] * units_.out_gain[j],
            bias_moments_[0][j],
            bias_moments_[1][j]);
    }
}

FloatLayer LayerParameters::exported(bool on_grid) const {
    const std::size_t in = shape_.fan_in();
    FloatLayer out{shape_.fan_in(), shape_.out, {}, {}, 0.0};
    for (std::size_t j = 0; j < shape_.out; ++j) {
        double bias = static_cast<double>(bias_[j]);
        for (std::size_t i = 0; i < in; ++i) {
            const float w = on_grid ? grid_[j * in + i] : latent_[j * in + i] * gain(j, i);
            out.weights.push_back(static_cast<double>(w));
            bias -= out.weights.back() * static_cast<double>(units_.center[i % shape_.channels]);
        }
        out.bias.push_back(bias);
    }
    return out;
}

LayerPasses::LayerPasses(const LayerShape& shape, std::uint32_t rows, const dnnl::engine& engine)
    : shape_(shape), rows_(rows), engine_(engine), b_({dim(shape.out)}, type::f32, tag::a) {
    if (shape.convolution) {
        make_convolution();
    } else {
        make_dense();
    }
}

void LayerPasses::make_dense() {
    x_ = {{dim(rows_), dim(shape_.channels)}, type::f32, tag::ab};
    w_ = {{dim(shape_.out), dim(shape_.channels)}, type::f32, tag::ab};
    y_ = {{dim(rows_), dim(shape_.out)}, type::f32, tag::ab};
    using Forward = dnnl::inner_product_forward;
    const Forward::primitive_desc ahead(
        Forward::desc(dnnl::prop_kind::forward_training, x_, w_, b_, y_),
        own_scratchpad(),
        engine_);
    using Data = dnnl::inner_product_backward_data;
    const Data::primitive_desc data(Data::desc(x_, w_, y_), own_scratchpad(), engine_, ahead);
    using Weights = dnnl::inner_product_backward_weights;
    const Weights::primitive_desc weights(
        Weights::desc(x_, w_, b_, y_), own_scratchpad(), engine_, ahead);
    forward_ = {Forward(ahead), ahead.scratchpad_desc()};
    back_data_ = {Data(data), data.scratchpad_desc()};
    back_weights_ = {Weights(weights), weights.scratchpad_desc()};
}

void LayerPasses::make_convolution() {
    x_ = {{dim(rows_), dim(shape_.channels), dim(shape_.positions)}, type::f32, tag::nwc};
    w_ = {{dim(shape_.out), dim(shape_.channels), dim(shape_.kernel)}, type::f32, tag::wio};
    y_ = {{dim(rows_), dim(shape_.out), dim(shape_.convolved())}, type::f32, tag::nwc};
    const memory::dims strides{dim(shape_.stride)};
    const memory::dims padding{dim(shape_.padding)};
    constexpr auto kDirect = dnnl::algorithm::convolution_direct;
    using Forward = dnnl::convolution_forward;
    const Forward::primitive_desc ahead(
        Forward::desc(
            dnnl::prop_kind::forward_training, kDirect, x_, w_, b_, y_, strides, padding, padding),
        own_scratchpad(),
        engine_);
    using Data = dnnl::convolution_backward_data;
    const Data::primitive_desc data(
        Data::desc(kDirect, x_, w_, y_, strides, padding, padding),
        own_scratchpad(),
        engine_,
        ahead);
    using Weights = dnnl::convolution_backward_weights;
    const Weights::primitive_desc weights(
        Weights::desc(kDirect, x_, w_, b_, y_, strides, padding, padding),
        own_scratchpad(),
        engine_,
        ahead);
    forward_ = {Forward(ahead), ahead.scratchpad_desc()};
    back_data_ = {Data(data), data.scratchpad_desc()};
    back_weights_ = {Weights(weights), weights.scratchpad_desc()};
}

memory LayerPasses::at(const memory::desc& desc, const float* values) const {
    // oneDNN's handles are not const; what it only reads stays as it is.
    return {desc, engine_, const_cast<float*>(values)};
}

void LayerPasses::run(const Pass& pass, dnnl::stream& stream, Arguments arguments) const {
    if (pass.scratchpad.get_size() > 0) {
        arguments.emplace(DNNL_ARG_SCRATCHPAD, memory(pass.scratchpad, engine_));
    }
    pass.primitive.execute(stream, arguments);
    stream.wait();
}

void LayerPasses::forward(const float* x, const float* w, const float* b, float* y) const {
    dnnl::stream stream(engine_);
    run(forward_,
        stream,
        {{DNNL_ARG_SRC, at(x_, x)},
         {DNNL_ARG_WEIGHTS, at(w_, w)},
         {DNNL_ARG_BIAS, at(b_, b)},
         {DNNL_ARG_DST, at(y_, y)}});
}

void LayerPasses::clip(const float* y, float most, float* a) const {
    using Forward = dnnl::eltwise_forward;
    const Forward clip(Forward::primitive_desc(
        Forward::desc(
            dnnl::prop_kind::forward_training, dnnl::algorithm::eltwise_clip, y_, 0.0F, most),
        engine_));
    dnnl::stream stream(engine_);
    clip.execute(stream, {{DNNL_ARG_SRC, at(y_, y)}, {DNNL_ARG_DST, at(y_, a)}});
    stream.wait();
}

void LayerPasses::clip_back(const float* y, float most, const float* da, float* dy) const {
    constexpr auto kClip = dnnl::algorithm::eltwise_clip;
    using Forward = dnnl::eltwise_forward;
    using Backward = dnnl::eltwise_backward;
    const Forward::primitive_desc ahead(
        Forward::desc(dnnl::prop_kind::forward_training, kClip, y_, 0.0F, most), engine_);
    const Backward clip(
        Backward::primitive_desc(Backward::desc(kClip, y_, y_, 0.0F, most), engine_, ahead));
    dnnl::stream stream(engine_);
    clip.execute(
        stream,
        {{DNNL_ARG_SRC, at(y_, y)},
         {DNNL_ARG_DIFF_DST, at(y_, da)},
         {DNNL_ARG_DIFF_SRC, at(y_, dy)}});
    stream.wait();
}

void LayerPasses::backward(
    const float* x, const float* w, const float* dy, float* dw, float* db, float* dx) const {
    dnnl::stream stream(engine_);
    run(back_weights_,
        stream,
        {{DNNL_ARG_SRC, at(x_, x)},
         {DNNL_ARG_DIFF_DST, at(y_, dy)},
         {DNNL_ARG_DIFF_WEIGHTS, at(w_, dw)},
         {DNNL_ARG_DIFF_BIAS, at(b_, db)}});
    if (dx != nullptr) {
        run(back_data_,
            stream,
            {{DNNL_ARG_DIFF_DST, at(y_, dy)},
             {DNNL_ARG_WEIGHTS, at(w_, w)},
             {DNNL_ARG_DIFF_SRC, at(x_, dx)}});
    }
}

}  // namespace weir::lab
