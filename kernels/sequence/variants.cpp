// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/sequence/variants.h"

#include "kernels/variant_table.h"

#include <array>

namespace weir::kernels {
namespace {

using SequenceVariant = Variant<const SequenceSpec&, Lowering>;

std::unique_ptr<Classifier> make_scalar(const SequenceSpec& spec, Lowering /*lowering*/) {
    return make_sequence_reference(spec);
}

constexpr std::array kVariants {
    SequenceVariant{Isa::scalar, make_scalar},
#if defined(__x86_64__)
        SequenceVariant{Isa::avx2, make_sequence_avx2},
        SequenceVariant{Isa::avx512, make_sequence_avx512},
        SequenceVariant{Isa::avx512_vnni, make_sequence_avx512_vnni},
#elif defined(__aarch64__)
        SequenceVariant{Isa::neon_dotprod, make_sequence_neon_dotprod},
#endif
};

constexpr auto kIsas = isas_of(kVariants);

}  // namespace

std::span<const Isa> sequence_isas() noexcept {
    return kIsas;
}

std::unique_ptr<Classifier> make_sequence_classifier(
    const SequenceSpec& spec, Isa isa, Lowering lowering) {
    return make_variant(kVariants, isa, spec, lowering);
}

}  // namespace weir::kernels
