// SPDX-License-Identifier: BSD-3-Clause
// What a new configuration changes, field by field.
#pragma once

#include "config/config.h"

#include <string>
#include <vector>

namespace weir::control {

struct ConfigField {
    std::string path;  ///< "slots.qos.hysteresis"
    std::string value;
    bool hot = false;  ///< can change while packets flow
};

struct ConfigChange {
    std::string path;
    std::string from;  ///< "(absent)" if new
    std::string to;    ///< "(absent)" if gone
    bool hot = false;
    [[nodiscard]] std::string line() const { return path + ": " + from + " -> " + to; }
};

/// Every field of a configuration, in the order of weir.yaml.
[[nodiscard]] std::vector<ConfigField> config_fields(const config::Config& config);

/// Fields that differ. A slot that only one of the two has is one change, not hot.
[[nodiscard]] std::vector<ConfigChange> config_diff(
    const config::Config& from, const config::Config& to);

/// `running` with what is hot taken from `next`; slots are matched by name.
[[nodiscard]] config::Config merge_hot(const config::Config& running, const config::Config& next);

}  // namespace weir::control
