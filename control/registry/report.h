// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

namespace weir::control {

/// What became of a new configuration.
struct ReloadReport {
    std::vector<std::string> applied;  ///< "slots.qos.hysteresis: 2 -> 3"
    std::vector<std::string>
        needs_restart;  ///< differs, but holds only from the next start: "ports[0].mtu: 1500 -> 9000"
    std::vector<std::string> warnings;
};

}  // namespace weir::control
