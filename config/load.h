// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "config/config.h"
#include "config/error.h"

#include <string>
#include <string_view>
#include <vector>

namespace weir::config {

/// Reads and validates a file whole: unknown keys, types, ranges and cross references are all checked.
/// On failure: every finding, each with file:line, field and fix; never a half-valid Config.
/// Thread: control or main; reads the file, throws nothing.
[[nodiscard]] tl::expected<Config, std::vector<Error>> load_file(const std::string& path);

/// The same for text already in memory; `name` stands for the file in messages.
[[nodiscard]] tl::expected<Config, std::vector<Error>> load_text(
    std::string_view yaml, const std::string& name);

/// The configuration that holds where the file is silent, two slots and their rules included.
[[nodiscard]] Config defaults();

/// DSCP by number (0…63) or RFC name (EF, CS0…CS7, AF11…AF43, LE, DF, VA); nullopt if neither.
[[nodiscard]] std::optional<std::uint8_t> parse_dscp(std::string_view text);

/// RFC name of a DSCP value where it has one, else its number.
[[nodiscard]] std::string dscp_name(std::uint8_t dscp);

/// "10.0.0.0/8", "2001:db8::/32", or one address; nullopt if it is none, or has bits beyond its length.
[[nodiscard]] std::optional<Prefix> parse_prefix(std::string_view text);

/// As parse_prefix() reads it. Thread: any.
[[nodiscard]] std::string prefix_text(const Prefix& prefix);

/// True if all of `inner` lies in `outer`.
[[nodiscard]] bool covers(const Prefix& outer, const Prefix& inner) noexcept;

}  // namespace weir::config
