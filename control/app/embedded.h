// SPDX-License-Identifier: BSD-3-Clause
// The default models and the key they are signed by, linked into the program.
#pragma once

#include "config/error.h"
#include "kernels/model/verify.h"

#include <vector>

namespace weir::app {

/// The bundles of config/models/, one a slot.
[[nodiscard]] std::vector<kernels::Bytes> embedded_models();

/// The key they are signed by.
[[nodiscard]] kernels::Keyring embedded_keys();

}  // namespace weir::app
