// SPDX-License-Identifier: BSD-3-Clause
// Every key of weir.yaml, for the reader and for the reference page.
#pragma once

#include <string>
#include <vector>

namespace weir::config {

/// One key as a person reads of it.
struct KeyDoc {
    std::string path;   ///< "ports[].mtu", "slots.NAME.hysteresis"
    std::string type;   ///< "68 to 16384", "pass, drop"
    std::string value;  ///< default, or "required"
    std::string text;
};

/// All keys, in the order of the reference page. Thread: any.
[[nodiscard]] const std::vector<KeyDoc>& all_keys();

/// A JSON Schema of weir.yaml, for editors: every key with its type, range, default and text. Thread: any.
[[nodiscard]] std::string json_schema();

/// docs/configuration.md, whole. Thread: any.
[[nodiscard]] std::string reference_page();

}  // namespace weir::config
