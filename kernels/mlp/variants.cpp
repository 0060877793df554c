// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/mlp/variants.h"

#include <array>

namespace weir::kernels {
namespace {

struct MlpVariant {
    Isa isa;
    std::unique_ptr<Classifier> (*make)(const MlpSpec&);
};

constexpr std::array kVariants {
    MlpVariant{Isa::scalar, make_mlp_reference},
#if defined(__x86_64__)
        MlpVariant{Isa::avx2, make_mlp_avx2}, MlpVariant{Isa::avx512, make_mlp_avx512},
        MlpVariant{Isa::avx512_vnni, make_mlp_avx512_vnni},
#elif defined(__aarch64__)
        MlpVariant{Isa::neon_dotprod, make_mlp_neon_dotprod},
#endif
};

constexpr auto kIsas = [] {
    std::array<Isa, kVariants.size()> isas{};
    for (std::size_t i = 0; i < kVariants.size(); ++i) {
        isas[i] = kVariants[i].isa;
    }
    return isas;
}();

}  // namespace

std::span<const Isa> mlp_isas() noexcept {
    return kIsas;
}

std::unique_ptr<Classifier> make_mlp_classifier(const MlpSpec& spec, Isa isa) {
    for (const MlpVariant& variant : kVariants) {
        if (variant.isa == isa) {
            return variant.make(spec);
        }
    }
    return nullptr;
}

}  // namespace weir::kernels
