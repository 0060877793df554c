// SPDX-License-Identifier: BSD-3-Clause
// A build without oneDNN: its networks are run by the reference.
#include "kernels/onednn/variants.h"

#include <array>
#include <string>

namespace weir::kernels {

std::span<const Isa> onednn_isas(const OnednnSpec& /*spec*/) noexcept {
    static constexpr std::array kScalarOnly{Isa::scalar};
    return kScalarOnly;
}

Result<std::unique_ptr<Classifier>> make_onednn_classifier(const OnednnSpec& spec, Isa isa) {
    if (isa != Isa::scalar) {
        return fail("", "isa", "this build has no oneDNN", "use scalar");
    }
    return make_onednn_reference(spec);
}

void prepare_onednn_thread() noexcept {}

}  // namespace weir::kernels
