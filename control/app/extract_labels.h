// SPDX-License-Identifier: BSD-3-Clause
// Flow labels for extraction: which label each flow of a capture has.
#pragma once

#include "config/error.h"
#include "dataplane/flow/key.h"

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weir::app {

/// A labelled flow's text: indices into FlowLabels::names().
struct FlowLabel {
    std::uint32_t label = 0;
    std::uint32_t group = 0;
};

/// The labels of one capture's flows by transport protocol, addresses and ports, either way round.
class CaptureLabels {
  public:
    /// Null if the flow has no label.
    [[nodiscard]] const FlowLabel* find(const dataplane::FlowKey& key) const;

  private:
    friend class FlowLabels;
    // Protocol, then the lower and the higher endpoint (address, then port in network order).
    using Tuple = std::array<std::uint8_t, 37>;
    struct TupleHash {
        [[nodiscard]] std::size_t operator()(const Tuple& tuple) const noexcept {
            return std::hash<std::string_view>{}(
                {reinterpret_cast<const char*>(tuple.data()), tuple.size()});
        }
    };
    struct Entry {
        FlowLabel label;
        std::uint64_t line = 0;
    };
    std::unordered_map<Tuple, Entry, TupleHash> flows_;
};

/// Reads "file,proto,src,sport,dst,dport,label[,group]", columns in any order, further ones ignored. A flow may be
/// listed more than once only with the same label.
class FlowLabels {
  public:
    /// Errors name file, line and column. Thread: any; reads files.
    [[nodiscard]] static Result<FlowLabels> read(const std::string& path);

    /// The labels whose `file` is the end of `capture`'s path, by whole path parts; of several, the longest. Null if
    /// there are none.
    [[nodiscard]] const CaptureLabels* of(const std::string& capture) const;
    [[nodiscard]] const std::string& name(std::uint32_t index) const { return names_[index]; }
    [[nodiscard]] bool has_groups() const noexcept { return has_groups_; }

  private:
    struct Columns;
    [[nodiscard]] Result<void> add(
        const std::vector<std::string_view>& fields, const Columns& at, std::uint64_t line);
    [[nodiscard]] std::uint32_t intern(std::string_view name);

    std::map<std::string, CaptureLabels, std::less<>> files_;
    std::vector<std::string> names_{std::string()};
    std::map<std::string, std::uint32_t, std::less<>> index_{{std::string(), 0}};
    bool has_groups_ = false;
};

}  // namespace weir::app
