// SPDX-License-Identifier: BSD-3-Clause
// One host's aggregates: exponentially decayed sums and windowed bitmaps of what it talks to.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace weir::dataplane {

/// Decayed sums of one host; the first of each role's counts flows.
enum class HostSum : std::uint8_t {
    sent_packets,
    sent_bytes,
    received_packets,
    received_bytes,
    out_flows,         ///< flows it opened
    out_replied,       ///< … that got a reply
    out_syn,           ///< … that it opened by SYN
    out_syn_answered,  ///< … whose first reply was a SYN-ACK
    out_refused,       ///< … whose first reply was a RST; and ICMP unreachables it received
    in_flows,          ///< flows opened to it
    in_replied,        ///< … that it replied to
    in_confirmed,      ///< … whose initiator sent more after the reply
    count_
};
inline constexpr std::size_t kHostSums = static_cast<std::size_t>(HostSum::count_);

/// Distinct values seen in the present and the previous window, by linear counting (Whang et al., 1990): a bit a value.
/// With M bits the estimate for n values has a relative standard error of √(M·(e^(n/M) − n/M − 1)) / n, 7 % at
/// n = M = 128, and ends at M·H(M) (695 for 128) when all bits are set.
template <std::size_t Words>
struct WindowedBitmap {
    static constexpr std::uint32_t kBits = 64 * Words;
    std::array<std::uint64_t, Words> present{};
    std::array<std::uint64_t, Words> previous{};

    void add(std::uint64_t hash) noexcept {
        const auto bit = static_cast<std::uint32_t>(hash) & (kBits - 1);
        present[bit / 64] |= std::uint64_t{1} << (bit % 64);
    }
    void turn(std::uint32_t windows) noexcept {
        previous = windows == 1 ? present : std::array<std::uint64_t, Words>{};
        present = {};
    }
    [[nodiscard]] std::uint32_t bits_set() const noexcept {
        std::uint32_t count = 0;
        for (std::size_t w = 0; w < Words; ++w) {
            count += static_cast<std::uint32_t>(std::popcount(present[w] | previous[w]));
        }
        return count;
    }
};

inline constexpr std::size_t kInSums = 3;  ///< those of flows opened to it: the last
inline constexpr std::size_t kFirstInSum = kHostSums - kInSums;
static_assert(kFirstInSum == static_cast<std::size_t>(HostSum::in_flows));

/// Three cache lines by role. A packet touches two, the first, and the second for the host that initiated its flow or
/// the third for the one that responds; the third too where the host's time advances. Written by HostTable::update()
/// only.
struct alignas(64) Host {
    // line 0: who, and what both roles need
    std::array<std::uint8_t, 16> address{};
    std::uint32_t tunnel_id = 0;
    std::uint16_t vlan = 0;
    std::uint16_t pair = 0;
    std::array<float, kFirstInSum> sums{};
    std::uint32_t tick = 0;  ///< of 2^27 ns: the time that sums are decayed to and windows turned
    // line 1: as an initiator
    WindowedBitmap<2> out_peers;
    WindowedBitmap<2> out_ports;
    // line 2: as a responder
    WindowedBitmap<2> in_peers;
    WindowedBitmap<1> in_ports;
    std::array<float, kInSums> in_sums{};
    std::uint32_t reserved = 0;

    [[nodiscard]] float sum(HostSum which) const noexcept {
        const auto at = static_cast<std::size_t>(which);
        return at < kFirstInSum ? sums[at] : in_sums[at - kFirstInSum];
    }
    void add(HostSum which, float amount) noexcept {
        const auto at = static_cast<std::size_t>(which);
        (at < kFirstInSum ? sums[at] : in_sums[at - kFirstInSum]) += amount;
    }
};
static_assert(sizeof(Host) == 192);

inline constexpr std::uint32_t kTickShift = 27;
inline constexpr std::uint32_t kTicksPerWindowShift = 8;  // a window is 2^35 ns
inline constexpr std::uint32_t kHalfLifeTicks = 64;

/// Estimated distinct values of a bitmap of `bits` bits with `set` of them set: the mean number of draws after which
/// so many are (coupon collector), Σ_{j<set} bits / (bits − j). Rational, so the same everywhere.
template <std::size_t Words>
[[nodiscard]] float distinct(const WindowedBitmap<Words>& bitmap) noexcept {
    static constexpr auto kEstimates = [] {
        constexpr std::uint32_t kBits = WindowedBitmap<Words>::kBits;
        std::array<float, kBits + 1> out{};
        double draws = 0.0;
        for (std::uint32_t set = 0; set < kBits; ++set) {
            draws += static_cast<double>(kBits) / static_cast<double>(kBits - set);
            out[set + 1] = static_cast<float>(draws);
        }
        return out;
    }();
    return kEstimates[bitmap.bits_set()];
}

}  // namespace weir::dataplane
