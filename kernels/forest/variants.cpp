// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/forest/variants.h"

#include <array>

namespace weir::kernels {
namespace {

struct ForestVariant {
    Isa isa;
    std::unique_ptr<Classifier> (*make)(const ForestSpec&);
};

constexpr std::array kVariants {
    ForestVariant{Isa::scalar, make_forest_reference},
#if defined(__x86_64__)
        ForestVariant{Isa::avx2, make_forest_avx2}, ForestVariant{Isa::avx512, make_forest_avx512},
        ForestVariant{Isa::avx512_gfni, make_forest_avx512_gfni},
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

std::span<const Isa> forest_isas() noexcept {
    return kIsas;
}

std::unique_ptr<Classifier> make_forest_classifier(const ForestSpec& spec, Isa isa) {
    for (const ForestVariant& variant : kVariants) {
        if (variant.isa == isa) {
            return variant.make(spec);
        }
    }
    return nullptr;
}

double forest_cycles_per_row(const ForestSpec& spec, Isa /*isa*/) noexcept {
    double cycles = 20;
    for (const ForestTree& tree : spec.trees) {
        std::size_t depth = 0;
        for (std::size_t leaves = tree.leaves.size(); leaves > 1; leaves /= 2) {
            ++depth;
        }
        cycles += 6.0 + 12.0 * static_cast<double>(depth);
    }
    return cycles;
}

}  // namespace weir::kernels
