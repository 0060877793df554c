// SPDX-License-Identifier: BSD-3-Clause
// What operators block or let pass for a while, as workers look it up: before any rule, whatever models say.
#pragma once

#include "config/policy.h"
#include "dataplane/flow/key.h"

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace weir::dataplane {

enum class OverrideKind : std::uint8_t { block, allow };

inline constexpr std::uint16_t kNoOverride = 0xffff;
inline constexpr std::size_t kMaxOverrides = 1024;

/// A flow by its ends and protocol, whatever port pair and tunnel it comes through.
struct OverrideFlow {
    static constexpr std::uint16_t kAnyVlan = 0xffff;
    /// Of `key` with a VLAN, or kAnyVlan for each.
    [[nodiscard]] static FlowKey key_of(const FlowKey& key, std::uint16_t vlan) noexcept;
};

/// One override: of a flow (`exact`), or of all flows with an end in `prefix`.
struct OverrideRule {
    OverrideKind kind = OverrideKind::block;
    bool exact = false;
    config::Prefix prefix;  ///< one that lies in ::ffff:0:0/96 is IPv4's; others are IPv6's alone
    FlowKey flow;           ///< by OverrideFlow::key_of()
};

/// Immutable; part of a Snapshot. A look-up costs two binary searches of at most 2,049 ranges, and where flows are
/// overridden two of at most 1,024 keys.
class OverrideSet {
  public:
    /// At most kMaxOverrides rules, no prefix and no flow twice. Thread: control; allocates.
    explicit OverrideSet(std::span<const OverrideRule> rules);

    /// Index of the rule that holds: that of the flow itself (of its VLAN before that of any), else the one of the longest
    /// prefix around either end; of two as long, the one that blocks. kNoOverride: none. Thread: a worker.
    [[nodiscard]] std::uint16_t find(const FlowKey& key) const noexcept;
    [[nodiscard]] OverrideKind kind(std::uint16_t rule) const noexcept { return kinds_[rule]; }

  private:
    struct Address {
        std::uint64_t high = 0;
        std::uint64_t low = 0;
        auto operator<=>(const Address&) const = default;
    };
    /// From here to the next range's beginning.
    struct Range {
        Address from;
        std::uint16_t rule = kNoOverride;
    };
    struct Exact {
        FlowKey key;
        std::uint16_t rule = kNoOverride;
    };
    struct Span {
        Address first;
        Address last;
        std::uint8_t length = 0;
        std::uint16_t rule = kNoOverride;
    };

    [[nodiscard]] static Address address(const std::array<std::uint8_t, 16>& bytes) noexcept;
    [[nodiscard]] static std::vector<Range> ranges(std::vector<Span> spans);
    [[nodiscard]] static std::uint16_t in(
        const std::vector<Range>& ranges, const std::array<std::uint8_t, 16>& bytes) noexcept;
    [[nodiscard]] std::uint16_t exact(const FlowKey& key) const noexcept;

    std::vector<OverrideKind> kinds_;
    std::vector<std::uint8_t> lengths_;  ///< of rules with a prefix
    std::vector<Range> v4_;              ///< rising
    std::vector<Range> v6_;
    std::vector<Exact> flows_;  ///< rising
};

}  // namespace weir::dataplane
