// SPDX-License-Identifier: BSD-3-Clause
// Models for programs that run without a control plane: replay and extract.
#pragma once

#include "config/config.h"
#include "config/error.h"
#include "dataplane/snapshot.h"
#include "kernels/model/verify.h"

#include <memory>
#include <string>
#include <vector>

namespace weir::app {

/// For each slot of `config`: the bundle named in `overrides` ("slot=FILE" or "slot=none"), else the one the
/// configuration names (a file, "default": the embedded one for that slot, "none"). Each is verified against the
/// embedded key, the configuration's keyring if that directory exists, and `keyring` if not empty.
/// `isa`: kernel variant by name; empty: the best.
[[nodiscard]] Result<std::vector<std::shared_ptr<const dataplane::SlotModel>>> load_models(
    const config::Config& config,
    const std::vector<std::string>& overrides,
    const std::string& keyring,
    const std::string& isa);

}  // namespace weir::app
