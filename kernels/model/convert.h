// SPDX-License-Identifier: BSD-3-Clause
// Between the bundle in memory and its protobuf form.
#pragma once

#include "config/error.h"
#include "kernels/model/bundle.h"

#include <string>

namespace weir::model::v1 {
class Bundle;
}  // namespace weir::model::v1

namespace weir::kernels {

/// The newest bundle format this build reads; it writes the oldest that can hold the network.
inline constexpr std::uint32_t kBundleFormat = 3;

/// Fills an empty `out`. Loses nothing: from_proto() gives the same bundle back.
void to_proto(const Bundle& bundle, model::v1::Bundle& out);

/// `in` must have passed check_wire(). Refuses what does not fit the types in memory; whether the values make
/// sense together is check_bundle()'s business. Error fields are paths in the protobuf.
[[nodiscard]] Result<Bundle> from_proto(const model::v1::Bundle& in, const std::string& where);

}  // namespace weir::kernels
