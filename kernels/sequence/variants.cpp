// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/sequence/variants.h"

#include <array>

namespace weir::kernels {
namespace {

struct SequenceVariant {
    Isa isa;
    std::unique_ptr<Classifier> (*make)(const SequenceSpec&, Lowering);
};

std::unique_ptr<Classifier> make_scalar(const SequenceSpec& spec, Lowering /*lowering*/) {
    return make_sequence_reference(spec);
}

constexpr std::array kVariants {
    SequenceVariant{Isa::scalar, make_scalar},
#if defined(__x86_64__)
        SequenceVariant{Isa::avx2, make_sequence_avx2},
        SequenceVariant{Isa::avx512, make_sequence_avx512},
        SequenceVariant{Isa::avx512_vnni, make_sequence_avx512_vnni},
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

std::span<const Isa> sequence_isas() noexcept {
    return kIsas;
}

std::unique_ptr<Classifier> make_sequence_classifier(
    const SequenceSpec& spec, Isa isa, Lowering lowering) {
    for (const SequenceVariant& variant : kVariants) {
        if (variant.isa == isa) {
            return variant.make(spec, lowering);
        }
    }
    return nullptr;
}

}  // namespace weir::kernels
