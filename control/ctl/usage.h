// SPDX-License-Identifier: BSD-3-Clause
// What is wrong with a command line, told by the command table.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace weir::ctl {

/// The first word that the table does not know, or the first one that is missing, with what was probably meant; none
/// if the words are a call of a command, or ask for help or the version. `words` without the program's name.
[[nodiscard]] std::optional<std::string> usage_error(std::span<const std::string_view> words);

}  // namespace weir::ctl
