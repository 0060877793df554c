// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/forest/variants.h"

#include "kernels/forest/costs.h"
#include "kernels/forest/pack.h"
#include "kernels/variant_table.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <new>

namespace weir::kernels {
namespace {

using ForestVariant = Variant<const ForestSpec&>;

constexpr std::array kVariants {
    ForestVariant{Isa::scalar, make_forest_reference},
#if defined(__x86_64__)
        ForestVariant{Isa::avx2, make_forest_avx2}, ForestVariant{Isa::avx512, make_forest_avx512},
        ForestVariant{Isa::avx512_gfni, make_forest_avx512_gfni},
#elif defined(__aarch64__)
        ForestVariant{Isa::neon_dotprod, make_forest_neon_dotprod},
#endif
};

constexpr auto kIsas = isas_of(kVariants);

// What decides the bit-sliced variants' cost; nullptr for the reference, also where nothing wider runs.
const ForestPackShape* shape_of(Isa isa) noexcept {
    switch (isa) {
        case Isa::avx2:
            return &kForestAvx2;
        case Isa::avx512:
        case Isa::avx512_vnni:
            return &kForestAvx512;
        case Isa::avx512_gfni:
            return &kForestAvx512Gfni;
        case Isa::neon_dotprod:
            return &kForestNeonDotprod;
        default:
            return nullptr;
    }
}

// The reference takes as many steps as each tree is deep, whatever the row, and waits for those beyond the first cache.
// Fitted on an undisturbed core of a Zen 5 server: 60 random forests at batch 64 (non-negative least squares of the
// relative error).
constexpr double kReferenceStep = 4.1;
constexpr double kReferenceFarStep = 1.0;  // for each doubling of the forest beyond kNearBytes
constexpr double kNearBytes = 48 * 1024;
constexpr double kReferenceStepBytes = 12;  // a node or a leaf

double reference_cycles(const ForestSpec& spec) noexcept {
    double bytes = 0;
    double steps = 0;
    for (const ForestTree& tree : spec.trees) {
        bytes += kReferenceStepBytes * static_cast<double>(tree.nodes.size() + tree.leaves.size());
        steps += tree_depth(tree);
    }
    const double doublings = std::max(0.0, std::log2(bytes / kNearBytes));
    return static_cast<double>(spec.base.size()) +
           steps * (kReferenceStep + kReferenceFarStep * doublings);
}

}  // namespace

std::span<const Isa> forest_isas() noexcept {
    return kIsas;
}

std::unique_ptr<Classifier> make_forest_classifier(const ForestSpec& spec, Isa isa) {
    return make_variant(kVariants, isa, spec);
}

double forest_cycles_per_row(const ForestSpec& spec, Isa isa) noexcept {
    const ForestPackShape* const shape = shape_of(isa);
    if (shape == nullptr) {
        return reference_cycles(spec);
    }
    try {
        return ForestPacked(spec, *shape).narrow_cycles() / 64;
    } catch (const std::bad_alloc&) {
        return std::numeric_limits<double>::infinity();  // what cannot be packed fits no budget
    }
}

}  // namespace weir::kernels
