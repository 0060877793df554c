// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/autoencoder/variants.h"

#include "kernels/mlp/cost.h"

#include <array>

namespace weir::kernels {
namespace {

struct AutoencoderVariant {
    Isa isa;
    std::unique_ptr<Classifier> (*make)(const AutoencoderSpec&);
};

constexpr std::array kVariants {
    AutoencoderVariant{Isa::scalar, make_autoencoder_reference},
#if defined(__x86_64__)
        AutoencoderVariant{Isa::avx2, make_autoencoder_avx2},
        AutoencoderVariant{Isa::avx512, make_autoencoder_avx512},
        AutoencoderVariant{Isa::avx512_vnni, make_autoencoder_avx512_vnni},
#endif
};

constexpr auto kIsas = [] {
    std::array<Isa, kVariants.size()> isas{};
    for (std::size_t i = 0; i < kVariants.size(); ++i) {
        isas[i] = kVariants[i].isa;
    }
    return isas;
}();

// What the error and a call cost beside the layers: fitted to measurements at batch 64 on one core of a Zen 5 server,
// 40 shapes an ISA (least squares of the relative error); bench_families prints predicted against measured.
struct ErrorCosts {
    Isa isa;
    std::uint32_t words;  // codes a step
    double step;          // copying that many codes, and their errors
    double row;           // whatever remains
};

constexpr std::array kCosts{
    ErrorCosts{Isa::scalar, 1, 4.6, 53},
    ErrorCosts{Isa::avx2, 16, 5.2, 8.8},
    ErrorCosts{Isa::avx512, 32, 5.2, 13.1},
    ErrorCosts{Isa::avx512_vnni, 32, 5.4, 11.2},
};

// The variant that would run: the ISA's own, or the best below it on the same architecture.
const ErrorCosts& costs_of(Isa isa) noexcept {
    const ErrorCosts* best = &kCosts.front();
    for (const ErrorCosts& costs : kCosts) {
        if (costs.isa <= isa && isa != Isa::neon_dotprod) {
            best = &costs;
        }
    }
    return *best;
}

}  // namespace

std::span<const Isa> autoencoder_isas() noexcept {
    return kIsas;
}

std::unique_ptr<Classifier> make_autoencoder_classifier(const AutoencoderSpec& spec, Isa isa) {
    for (const AutoencoderVariant& variant : kVariants) {
        if (variant.isa == isa) {
            return variant.make(spec);
        }
    }
    return nullptr;
}

double autoencoder_cycles_per_row(const AutoencoderSpec& spec, Isa isa) noexcept {
    const ErrorCosts& costs = costs_of(isa);
    double cycles = costs.row + costs.step * ((spec.inputs() + costs.words - 1) / costs.words);
    for (const MlpLayer& layer : spec.layers) {
        cycles += dense_layer_cycles(layer.in, layer.out, false, isa);
    }
    return cycles;
}

}  // namespace weir::kernels
