// SPDX-License-Identifier: BSD-3-Clause
// A YAML file as a bounded tree that keeps what a good message needs: lines, quotes and the order of keys.
#pragma once

#include "config/findings.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::config {

/// Limits of a configuration file; far above any honest one.
inline constexpr std::size_t kMaxFileBytes = 1u << 20;
inline constexpr std::size_t kMaxDepth = 16;
inline constexpr std::size_t kMaxNodes = 1u << 16;
inline constexpr std::size_t kMaxMapKeys = 256;

struct Node {
    enum class Kind : std::uint8_t { null, scalar, sequence, map };

    struct Key {
        std::string text;
        std::uint32_t line = 0;
    };

    Kind kind = Kind::null;
    bool quoted = false;  ///< a scalar in quotes or a block scalar: text, never a number or a flag
    std::uint32_t line = 0;   ///< from 1
    std::string text;         ///< of a scalar
    std::vector<Key> keys;    ///< of a map, in the file's order; keys[i] names items[i]
    std::vector<Node> items;  ///< of a map or a sequence
};

/// The one document in `text`. Nullopt if it cannot be read as a tree: not UTF-8, a syntax error, anchors, aliases,
/// tags, more than one document, a limit passed. Keys given twice are findings, too, but the tree is there.
/// An empty document is a null node. Throws nothing but std::bad_alloc.
[[nodiscard]] std::optional<Node> parse_yaml(std::string_view text, Findings& findings);

}  // namespace weir::config
