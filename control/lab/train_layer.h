// SPDX-License-Identifier: BSD-3-Clause
// One layer of a network in training: its shape, its parameters, and its passes through oneDNN's primitives.
#pragma once

#include "control/lab/train_network.h"

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include <oneapi/dnnl/dnnl.hpp>

namespace weir::lab {

/// Latent float weights in normalized units with Adam's state, and what they stand for: weights on the grid that the
/// kernels' s8 weights make (one symmetric scale a neuron), biases in the layer's own units.
class LayerParameters {
  public:
    /// `in_gain`: per input channel, what a normalized weight is multiplied by; `center`: per input channel, what is
    /// taken off the codes; `out_gain`, `out_offset`: per neuron. Empty: 1, 0, 1, 0.
    struct Units {
        std::vector<float> in_gain;
        std::vector<float> center;
        std::vector<float> out_gain;
        std::vector<float> out_offset;
    };

    LayerParameters(const LayerShape& shape, Units units, std::uint64_t seed);

    /// Computes the weights on the grid from the latent ones. To be called after each step.
    void round();
    /// As oneDNN has them: dense [out][in], convolution [kernel][in][out].
    [[nodiscard]] const float* weights() const noexcept { return laid_out_.data(); }
    [[nodiscard]] const float* bias() const noexcept { return bias_.data(); }
    /// One step of Adam with decoupled decay, from gradients of weights() and bias(). `step` counts from 1.
    void update(
        std::span<const float> of_weights,
        std::span<const float> of_bias,
        std::uint32_t step,
        double rate,
        double decay);
    /// The layer on plain codes: on the grid as round() left it, or as the latent weights have it.
    [[nodiscard]] FloatLayer exported(bool on_grid) const;

    [[nodiscard]] std::size_t count() const noexcept { return latent_.size(); }

  private:
    [[nodiscard]] float gain(std::size_t j, std::size_t i) const noexcept;
    [[nodiscard]] std::size_t place(std::size_t j, std::size_t i) const noexcept;

    LayerShape shape_;
    Units units_;
    std::vector<float> latent_;       ///< [out][kernel·in]
    std::vector<float> latent_bias_;  ///< [out]
    std::vector<float> grid_;         ///< effective, [out][kernel·in]
    std::vector<float> laid_out_;     ///< grid_ as oneDNN has it
    std::vector<float> bias_;         ///< effective, of centered inputs
    std::vector<float> moments_[2];   ///< of the weights
    std::vector<float> bias_moments_[2];
};

/// A layer's oneDNN primitives for a fixed number of rows. Immutable: any number of threads may run passes at once, each
/// on buffers of its own; a pass uses the calling thread alone where OneThread holds. Throws dnnl::error.
class LayerPasses {
  public:
    LayerPasses(const LayerShape& shape, std::uint32_t rows, const dnnl::engine& engine);

    /// y = w·x + b: rows × own_values().
    void forward(const float* x, const float* w, const float* b, float* y) const;
    /// a = y clipped to 0…most, and back: dy from da.
    void clip(const float* y, float most, float* a) const;
    void clip_back(const float* y, float most, const float* da, float* dy) const;
    /// Gradients from those of y; `dx` may be null.
    void backward(
        const float* x, const float* w, const float* dy, float* dw, float* db, float* dx) const;

  private:
    void make_dense();
    void make_convolution();
    [[nodiscard]] dnnl::memory at(const dnnl::memory::desc& desc, const float* values) const;
    using Arguments = std::unordered_map<int, dnnl::memory>;
    struct Pass {
        dnnl::primitive primitive;
        dnnl::memory::desc scratchpad;  ///< memory of the call's own: any thread may make it
    };
    void run(const Pass& pass, dnnl::stream& stream, Arguments arguments) const;

    LayerShape shape_;
    std::uint32_t rows_;
    dnnl::engine engine_;
    dnnl::memory::desc x_;
    dnnl::memory::desc w_;
    dnnl::memory::desc b_;
    dnnl::memory::desc y_;
    Pass forward_;
    Pass back_data_;
    Pass back_weights_;
};

}  // namespace weir::lab
