// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/overrides.h"

#include <algorithm>
#include <cstring>

namespace weir::dataplane {

namespace {

constexpr std::uint8_t kMappedBits = 96;

[[nodiscard]] bool is_v4(const config::Prefix& prefix) noexcept {
    constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return prefix.length >= kMappedBits &&
           std::equal(kMapped.begin(), kMapped.end(), prefix.address.begin());
}

[[nodiscard]] bool before(const FlowKey& a, const FlowKey& b) noexcept {
    return std::memcmp(&a, &b, sizeof(FlowKey)) < 0;
}

}  // namespace

FlowKey OverrideFlow::key_of(const FlowKey& key, std::uint16_t vlan) noexcept {
    FlowKey out = key;
    out.tunnel_id = 0;
    out.vlan = vlan;
    out.pair = 0;
    out.inner_vlan = 0;
    return out;
}

OverrideSet::Address OverrideSet::address(const std::array<std::uint8_t, 16>& bytes) noexcept {
    Address out;
    std::memcpy(&out.high, bytes.data(), sizeof(out.high));
    std::memcpy(&out.low, bytes.data() + sizeof(out.high), sizeof(out.low));
    return {__builtin_bswap64(out.high), __builtin_bswap64(out.low)};
}

OverrideSet::OverrideSet(std::span<const OverrideRule> rules) {
    constexpr unsigned kHalf = 64;
    const auto ones_after = [](unsigned bits) {
        return bits >= kHalf ? std::uint64_t{0} : ~std::uint64_t{0} >> bits;
    };
    std::vector<Span> v4;
    std::vector<Span> v6;
    for (const OverrideRule& rule : rules) {
        const auto index = static_cast<std::uint16_t>(kinds_.size());
        kinds_.push_back(rule.kind);
        lengths_.push_back(rule.prefix.length);
        if (rule.exact) {
            flows_.push_back({rule.flow, index});
            continue;
        }
        Span span{address(rule.prefix.address), {}, rule.prefix.length, index};
        span.last.high = span.first.high | ones_after(span.length);
        span.last.low = span.first.low | (span.length <= kHalf ? ~std::uint64_t{0}
                                                               : ones_after(span.length - kHalf));
        (is_v4(rule.prefix) ? v4 : v6).push_back(span);
    }
    v4_ = ranges(std::move(v4));
    v6_ = ranges(std::move(v6));
    std::sort(flows_.begin(), flows_.end(), [](const Exact& a, const Exact& b) {
        return before(a.key, b.key);
    });
}

/// Prefixes lie within one another or apart; so what is open is a stack, the longest on top.
std::vector<OverrideSet::Range> OverrideSet::ranges(std::vector<Span> spans) {
    std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) {
        return a.first != b.first ? a.first < b.first : a.length < b.length;
    });
    std::vector<Range> out;
    std::vector<Span> open;
    const auto begin_range = [&](const Address& from, std::uint16_t rule) {
        if (!out.empty() && out.back().from == from) {
            out.back().rule = rule;
        } else {
            out.push_back({from, rule});
        }
    };
    const auto close = [&] {
        Address after = open.back().last;
        open.pop_back();
        after.high += static_cast<std::uint64_t>(++after.low == 0);
        if (after != Address{}) {  // else it was the last address of all
            begin_range(after, open.empty() ? kNoOverride : open.back().rule);
        }
    };
    for (const Span& span : spans) {
        while (!open.empty() && open.back().last < span.first) {
            close();
        }
        begin_range(span.first, span.rule);
        open.push_back(span);
    }
    while (!open.empty()) {
        close();
    }
    return out;
}

std::uint16_t OverrideSet::in(
    const std::vector<Range>& ranges, const std::array<std::uint8_t, 16>& bytes) noexcept {
    const Address wanted = address(bytes);
    const auto after = std::upper_bound(
        ranges.begin(), ranges.end(), wanted, [](const Address& a, const Range& range) {
            return a < range.from;
        });
    return after == ranges.begin() ? kNoOverride : std::prev(after)->rule;
}

std::uint16_t OverrideSet::exact(const FlowKey& key) const noexcept {
    const auto at = std::lower_bound(
        flows_.begin(), flows_.end(), key, [](const Exact& flow, const FlowKey& wanted) {
            return before(flow.key, wanted);
        });
    return at != flows_.end() && at->key == key ? at->rule : kNoOverride;
}

std::uint16_t OverrideSet::find(const FlowKey& key) const noexcept {
    if (!flows_.empty()) {
        const std::uint16_t own = exact(OverrideFlow::key_of(key, key.vlan));
        const std::uint16_t flow =
            own != kNoOverride ? own : exact(OverrideFlow::key_of(key, OverrideFlow::kAnyVlan));
        if (flow != kNoOverride) {
            return flow;
        }
    }
    const std::vector<Range>& ranges = key.ip_version == 4 ? v4_ : v6_;
    const std::uint16_t low = in(ranges, key.addr_lo);
    const std::uint16_t high = in(ranges, key.addr_hi);
    if (low == kNoOverride || high == kNoOverride) {
        return low == kNoOverride ? high : low;
    }
    if (lengths_[low] != lengths_[high]) {
        return lengths_[low] > lengths_[high] ? low : high;
    }
    return kinds_[low] == OverrideKind::block ? low : high;
}

}  // namespace weir::dataplane
